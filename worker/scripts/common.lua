-- Stands before every script. KEYS[1] begins every key of one queue; {…} in it keeps them in one slot of a cluster.
local call = redis.call
local ackdel = false -- whether the server has XACKDEL (8.2)
local base, group = KEYS[1], 'workers'
local AGAIN, NORMAL, LINES, MARK = 1, 3, 4, 5
local streams = { base .. 'wait:again', base .. 'wait:high', base .. 'wait:normal', base .. 'wait:low', base .. 'wait:mark' }
local delayed, dead, meta = base .. 'delayed', base .. 'dead', base .. 'meta'
local workers, running = base .. 'workers', base .. 'running'
local historyMax, deadMax, leasesMax, askersMax = 32768, 100000, 3, 100 * 37
local replyMax = 4194304 -- bytes of jobs or results in one answer, give or take one of them

local function jobKey(id) return base .. 'job:' .. id end
local function uniqueKey(name) return base .. 'unique:' .. name end

-- The server's time in milliseconds, and in microseconds: no other clock decides anything.
local function clock()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000), t[1] * 1000000 + t[2]
end

local function whole(n) return string.format('%.0f', n) end

-- Arguments are read one after another.
local at = 0
local function arg()
  at = at + 1
  return ARGV[at]
end
local function number() return tonumber(arg()) end

-- Where an entry stands, as the hash of its job notes it: then no other entry stands for the job.
local function place(s, entry) return s .. ' ' .. entry end

-- A job begins to wait: its ID joins the line of its priority. A job that never ran, and whose ID nobody can choose again, needs no
-- note of its place (nor a key here): no other entry can have its ID.
local function enter(s, id, key)
  local entry = call('XADD', streams[s], '*', 'j', id)
  if key then call('HSET', key, 'e', place(s, entry)) end
end

-- An entry leaves the line, and its worker's list of what it took.
local function leave(s, entry)
  call('XACK', streams[s], group, entry)
  call('XDEL', streams[s], entry)
end

-- Of jobs that were deleted while they waited, and whose place nobody knew, so many entries were met.
local function met_ghosts(n)
  if n > 0 and call('HINCRBY', meta, 'ghosts', -n) <= 0 then call('HDEL', meta, 'ghosts') end
end

-- Adds one who awaits a job. Those beyond a hundred nodes find the result in Redis.
local function add_asker(key, askers, asker)
  if not askers then
    call('HSET', key, 'k', asker)
  elseif #askers < askersMax and not string.find(askers, asker, 1, true) then
    call('HSET', key, 'k', askers .. ' ' .. asker)
  end
end

-- An attempt that did not succeed: when it began, when it ended, and (in suffix) by whom and why. Its token tells when it began, or a
-- later time where the clock has gone back since.
local function note(key, token, ended, suffix)
  local began = whole(math.min(math.floor((token or 0) / 1000), ended))
  local history = (call('HGET', key, 'h') or '') .. began .. ' ' .. whole(ended) .. ' ' .. suffix
  local forgotten = 0
  while #history > historyMax do
    local first = string.find(history, '\n', 1, true)
    if not first or first == #history then break end
    history = string.sub(history, first + 1)
    forgotten = forgotten + 1
  end
  call('HSET', key, 'h', history)
  if forgotten > 0 then call('HINCRBY', key, 'f', forgotten) end
end

-- A unique key that lasts until the job has finished is given up with it.
local function release(name, id)
  if name and call('GET', uniqueKey(name)) == id then call('DEL', uniqueKey(name)) end
end

-- Creates the group of a line, also again after a flush.
local function group_of(s) redis.pcall('XGROUP', 'CREATE', streams[s], group, '0', 'MKSTREAM') end

local function no_group(reply) return type(reply) == 'table' and reply.err and string.find(reply.err, 'NOGROUP', 1, true) end

-- How the group of a line stands: pending entries and the last one delivered.
local function group_state(s)
  local groups = redis.pcall('XINFO', 'GROUPS', streams[s])
  local pending, last = 0, '0-0'
  if groups.err then return pending, last end
  for _, g in ipairs(groups) do
    for i = 1, #g, 2 do
      if g[i] == 'pending' then pending = g[i + 1] end
      if g[i] == 'last-delivered-id' then last = g[i + 1] end
    end
  end
  return pending, last
end

-- The oldest entry of a line that no worker has taken.
local function oldest(s)
  local _, last = group_state(s)
  return call('XRANGE', streams[s], '(' .. last, '+', 'COUNT', 1)[1]
end
