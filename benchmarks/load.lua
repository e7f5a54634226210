-- wrk … -s load.lua URL -- MODE FILE
--   get   asks for the path in FILE's first line, with its second line, if there, as If-None-Match
--   book  books a seat that is free, of each show in turn
--   hot   wants a seat of one show that is taken, 19 times of 20, and a free one otherwise
-- For the last two FILE's first line is "first_show last_show first_free_seat", and each other one is a token.
local mode, path, headers, first_show, last_show, first_seat
local tokens, n = {}, 0

function init(args)
  mode = args[1]
  local file = io.open(args[2])
  local header = file:read("*l")
  if mode == "get" then
    path = header
    local etag = file:read("*l")
    if etag then headers = { ["If-None-Match"] = etag } end
  else
    first_show, last_show, first_seat = header:match("(%d+) (%d+) (%d+)")
    for line in file:lines() do tokens[#tokens + 1] = line end
  end
end

function request()
  if mode == "get" then return wrk.format("GET", path, headers) end
  local shows = last_show - first_show + 1
  local show = first_show + n % shows
  local seat = first_seat + math.floor(n / shows)
  if mode == "hot" then
    seat = n % 20 == 0 and first_seat + n / 20 or 1 + n % 100
  end
  local headers = {
    ["Authorization"] = "Bearer " .. tokens[n % #tokens + 1],
    ["Content-Type"] = "application/json",
  }
  n = n + 1
  return wrk.format("POST", "/api/shows/" .. show .. "/book/", headers, '{"seat_number": ' .. seat .. "}")
end

local threads = {}
function setup(thread) threads[#threads + 1] = thread end

function response(status)
  if status == 200 or status == 304 then ok = (ok or 0) + 1
  elseif status == 201 then created = (created or 0) + 1
  elseif status == 409 then refused = (refused or 0) + 1
  else other = (other or 0) + 1 end
end

function done(summary, latency)
  local total = { ok = 0, created = 0, refused = 0, other = 0 }
  for _, thread in ipairs(threads) do
    for name, count in pairs(total) do total[name] = count + (thread:get(name) or 0) end
  end
  io.write(string.format(
    '{"seconds": %f, "p50_ms": %f, "p99_ms": %f, "ok": %d, "created": %d, "refused": %d, "other": %d}\n',
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    total.ok, total.created, total.refused, total.other))
end
