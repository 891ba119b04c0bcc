-- The data set's first row.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"MedInc": 8.3252, "HouseAge": 41, "AveRooms": 6.984127, "AveBedrms": 1.02381, ' ..
  '"Population": 322, "AveOccup": 2.555556, "Latitude": 37.88, "Longitude": -122.23}'
