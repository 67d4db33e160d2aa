-- A merchant's back end: it connects to a node of payrelay, books the payments that come, and acknowledges each.
--
--   lua5.4 merchant.lua --token TOKEN [--gateway HOST:PORT,…] [--ledger FILE] [--mode answer|refuse|silent]
--
-- It needs nothing but LuaSocket (Debian: lua5.4 and lua-socket); the protocol is one JSON object a line.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local socket, json = require "socket", require "json"

local options = { gateway = "127.0.0.1:7071", ledger = "merchant.ledger", mode = "answer" }
for i = 1, #arg, 2 do options[arg[i]:match("^%-%-(.*)")] = arg[i + 1] end
assert(options.token, "--token is missing")

local function say(...)
  io.stdout:write(string.format(...), "\n")
  io.stdout:flush()
end

-- The ledger holds a line for each payment, so that what was booked stays booked when this program starts again.
local ledger = assert(io.open(options.ledger, "a+"))
local bookings, count = {}, 0
for line in ledger:lines() do
  count = count + 1
  bookings[line:match("^%S+")] = count
end

local function book(payment)
  assert(ledger:write(("%s %d %s\n"):format(payment.id, payment.amount, payment.currency)))
  assert(ledger:flush())
  count = count + 1
  bookings[payment.id] = count
  say("booked %s: %d %s", payment.id, payment.amount, payment.currency)
end

-- take answers a message. What is booked already is acknowledged again, whatever we would say today, and not booked again.
local function take(message)
  local payment = message.data
  if message.event ~= "payment" then
    return { type = "nack", id = message.id, code = "unknown_event", message = "want payment, not " .. message.event }
  end
  local again = bookings[payment.id] ~= nil
  if options.mode == "refuse" and not again then
    say("refused %s", payment.id)
    return { type = "nack", id = message.id, code = "closed", message = "we take no payments today" }
  end
  if not again then book(payment) end
  if options.mode == "silent" then return end -- as if the answer were lost on its way
  return { type = "ack", id = message.id, data = { booking = bookings[payment.id], again = again } }
end

-- session speaks with one node until the connection ends. It returns why, and how long to stay away.
local function session(host, port)
  local server, problem = socket.connect(host, port)
  if not server then return problem, 1 end
  server:setoption("tcp-nodelay", true)
  server:settimeout(10)
  local function send(frame) return server:send(json.encode(frame) .. "\n") end
  send { type = "hello", token = options.token }

  local pause, asked, partial = 1, false, nil
  while true do
    local line, reason, rest = server:receive("*l", partial)
    partial = rest
    if line then
      asked = false
      local frame = json.decode(line) or {}
      if frame.type == "welcome" then
        say("connected to %s as %s, socket %s", frame.node, frame.user, frame.socket)
        server:settimeout(frame.ping_ms > 0 and frame.ping_ms / 1000 or nil)
      elseif frame.type == "message" and frame.ack then
        local answer = take(frame)
        if answer then send(answer) end
      elseif frame.type == "drain" then
        pause = frame.reconnect_ms / 1000 -- the node closes once everything is acknowledged
      elseif frame.type == "error" then
        say("error %s: %s", frame.code, frame.message)
      end
    elseif reason == "timeout" and not asked then
      asked = true -- nothing came for a while: is anybody there?
      send { type = "ping" }
    else
      server:close()
      return reason, pause
    end
  end
end

-- One node after the other, for ever.
local nodes = {}
for host, port in options.gateway:gmatch("([^,]+):(%d+)") do nodes[#nodes + 1] = { host, tonumber(port) } end
while true do
  for _, node in ipairs(nodes) do
    local reason, pause = session(table.unpack(node))
    say("disconnected from %s:%d: %s", node[1], node[2], reason)
    socket.sleep(pause * (0.75 + math.random() / 2)) -- not all at the same moment
  end
end
