-- wrk with DEPTH requests on the way per connection; says errors in numbers, also when there are none.
-- wrk makes one string of requests out of this and counts answers, so pipelining needs no more than that.
local depth = tonumber(os.getenv("DEPTH") or "1")
local batch

function init()
  local one = wrk.format("GET", nil)
  batch = string.rep(one, depth)
end

function request()
  return batch
end

function done(summary)
  local e = summary.errors
  io.write(string.format("counts requests=%d connect=%d read=%d write=%d timeout=%d status=%d\n",
    summary.requests, e.connect, e.read, e.write, e.timeout, e.status))
end
