-- wrk … -s load.lua URL -- MODE FILE
--   get      requests the path in FILE's first line, with the second line, if any, as If-None-Match
--   book     books a free seat, of each show in turn
--   hot      requests a taken seat of one show in 19 of 20 requests, and a free one otherwise
--   several  books three free seats in one request, of each show in turn
--   hold     holds a free seat, of each show in turn, and books it after the response to the hold
-- For all but the first, FILE's first line is "first_show last_show first_free_seat", and each other one is a token.
local mode, path, headers, first_show, last_show, first_seat
local tokens, n, turns = {}, 0, 0
-- In the mode "hold": a queue of the requests that book the held seats.
local bookings = {}

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

-- The next show and the first of `count` seats that no request of this run has used.
local function free_seats(count)
  local shows = last_show - first_show + 1
  local show, seat = first_show + turns % shows, first_seat + count * math.floor(turns / shows)
  turns = turns + 1
  seats = seat + count - first_seat
  return show, seat
end

-- The token of the user who gets this seat. The seats of a show are spread over all users.
local function token_for(show, seat)
  return tokens[(show + seat) % #tokens + 1]
end

local function post(show, action, token, body)
  local headers = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
  return wrk.format("POST", "/api/shows/" .. show .. "/" .. action .. "/", headers, body)
end

local function book(show, seat, token)
  return post(show, "book", token, '{"seat_number": ' .. seat .. "}")
end

function request()
  if mode == "get" then return wrk.format("GET", path, headers) end
  if #bookings > 0 then return table.remove(bookings) end
  n = n + 1
  if mode == "hot" and n % 20 ~= 1 then return book(first_show, 1 + n % 100, tokens[n % #tokens + 1]) end
  local show, seat = free_seats(mode == "several" and 3 or 1)
  local token = token_for(show, seat)
  if mode == "several" then
    return post(show, "book-seats", token, string.format('{"seat_numbers": [%d, %d, %d]}', seat, seat + 1, seat + 2))
  elseif mode == "hold" then
    return post(show, "hold", token, '{"seat_numbers": [' .. seat .. "]}")
  end
  return book(show, seat, token)
end

local threads = {}
function setup(thread) threads[#threads + 1] = thread end

-- wrk does not report the request of a response, so the show and the seat are read from the response.
local function book_held(body)
  local show = body:match('"show":%s*{%s*"id":%s*(%d+)') or body:match('"show":%s*(%d+)')
  local seat = body:match('"seat_number":%s*(%d+)')
  bookings[#bookings + 1] = book(show, seat, token_for(show, seat))
end

function response(status, _, body)
  if status == 200 or status == 304 then ok = (ok or 0) + 1
  elseif status == 201 and mode == "hold" and body:find('"status":%s*"held"') then
    held = (held or 0) + 1
    book_held(body)
  elseif status == 201 then created = (created or 0) + 1
  elseif status == 409 then refused = (refused or 0) + 1
  else other, other_status = (other or 0) + 1, status end
end

-- In the mode "hold", `created` counts completed pairs of a hold and its booking. `seats` is the number of seats of each
-- show that this run used, from first_free_seat on. `other` includes connection errors and timeouts;
-- `other_status` is the status of the last other response, 0 without one.
function done(summary, latency)
  local total = { ok = 0, created = 0, held = 0, refused = 0, other = 0, other_status = 0, seats = 0 }
  for _, thread in ipairs(threads) do
    for name, count in pairs(total) do total[name] = count + (thread:get(name) or 0) end
  end
  local errors = summary.errors
  local unanswered = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('{"seconds": %f, "p50_ms": %f, "p99_ms": %f, ',
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
  io.write(string.format('"ok": %d, "created": %d, "held": %d, "refused": %d, "other": %d, ',
    total.ok, total.created, total.held, total.refused, total.other + unanswered))
  io.write(string.format('"other_status": %d, "seats": %d}\n', total.other_status, total.seats))
end
