-- The data set's first row, as a tensor without a name.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"inputs": [[8.3252, 41, 6.984127, 1.02381, 322, 2.555556, 37.88, -122.23]]}'
