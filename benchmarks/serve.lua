-- What wrk sends for benchmarks/serve.py: one query after the other, with a random pause before
-- each where a rate is to be held.
-- Arguments: file of bodies, one a line; mean pause in milliseconds, 0 for none; seed.

local bodies = {}
local sent = 0

function init(args)
  for line in io.lines(args[1]) do
    bodies[#bodies + 1] = line
  end
  local pause = tonumber(args[2])
  if pause > 0 then
    math.randomseed(tonumber(args[3]))
    -- wrk asks for a pause only where this function is there.
    delay = function()
      return math.random(0, 2 * pause)
    end
  end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  sent = sent + 1
  return wrk.format(nil, nil, nil, bodies[(sent - 1) % #bodies + 1])
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.3f, "mean": %.3f, "p50": %.3f, "p99": %.3f, "max": %.3f, ' ..
    '"refused": %d, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency.mean / 1000,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    errors.connect, errors.status + errors.read + errors.write + errors.timeout))
end
