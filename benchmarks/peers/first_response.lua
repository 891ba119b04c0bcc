-- Sends the request of the script named in the arguments, and prints the first response.
function init(args)
  dofile(args[1])
end

function response(status, headers, body)
  print("response " .. body)
  wrk.thread:stop()
end
