-- Which request next, and how did the round go? For wrk; the argument is a file of whole requests between zero bytes.

local requests = {}

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for request in file:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = request end
  file:close()
end

function request()
  return requests[math.random(#requests)]  -- as people come: in no order
end

function done(summary, latency)
  local failed = summary.errors
  print(string.format(
    '\n{"answers": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "longest": %.3f, "refused": %d, "broken": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, failed.status, failed.connect + failed.read + failed.write + failed.timeout))
end
