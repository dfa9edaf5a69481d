-- wrk -s requests.lua URL -- FILE STAMP sends the requests of FILE in turn. Each thread starts at another line.
-- A line is METHOD, path, token and body, separated by tabs. {n} in a body is replaced by a unique text.

local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

local requests, bodies, sent = {}, {}, 0

local function headers_of(token, body)
   local headers = {}
   if token ~= "" then headers["Authorization"] = "Bearer " .. token end
   if body ~= "" then headers["Content-Type"] = "application/json" end
   return headers
end

function init(args)
   stamp = args[2]
   for line in io.lines(args[1]) do
      local method, path, token, body = line:match("^(%S+)\t([^\t]*)\t([^\t]*)\t(.*)$")
      if body:find("{n}", 1, true) then
         bodies[#bodies + 1] = { method, path, headers_of(token, body), body }
      else
         requests[#requests + 1] = wrk.format(method, path, headers_of(token, body), body ~= "" and body or nil)
      end
   end
   sent = math.floor(number * math.max(#requests, #bodies) / 2)
end

function request()
   sent = sent + 1
   if #requests > 0 then return requests[sent % #requests + 1] end
   local request = bodies[sent % #bodies + 1]
   local unique = stamp .. "-" .. number .. "-" .. sent
   return wrk.format(request[1], request[2], request[3], (request[4]:gsub("{n}", unique)))
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "refused": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
