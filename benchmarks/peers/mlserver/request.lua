-- The data set's first row, as a tensor of the Open Inference Protocol V2.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"inputs": [{"name": "features", "shape": [1, 8], "datatype": "FP64", ' ..
  '"data": [8.3252, 41, 6.984127, 1.02381, 322, 2.555556, 37.88, -122.23]}]}'
