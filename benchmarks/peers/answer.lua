-- Sends what the script named in the arguments sends, and prints the first answer.
function init(args)
  dofile(args[1])
end

function response(status, headers, body)
  print("answer " .. body)
  wrk.thread:stop()
end
