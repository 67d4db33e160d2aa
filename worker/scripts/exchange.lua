#!lua flags=allow-oom
-- What a worker has finished goes in, jobs to start come out, in one round trip. Arguments: the worker, how many it settles and
-- those, how many entries it holds (delivered to it, not started) and those, how many jobs it wants, how many of them it starts
-- at once (the others are fetched ahead), and the lines to look at, each with how many to take from it first.
-- Answers {time, wait in ms before more may be started or 0, held entries dealt with, whether a delayed job may be due earlier,
-- what became of each settling, jobs: line, entry, ID, spec, token, attempt, askers, flags; and entries that were delivered and not
-- started, because the answer is full: line, entry, ID}.
local worker = arg()
local now, instant = clock() -- two starts of jobs under one ID have never the same instant
local instant_text = whole(instant)
local limited = call('EXISTS', running) == 1
local poke, counts, verdicts, ghosts = 0, {}, {}, 0
local left, finished = { {}, {}, {}, {}, {} }, {} -- entries of each line, and keys of jobs, that go at the end of all settling

local function count(what) counts[what] = (counts[what] or 0) + 1 end

-- Calls a command on many things at once: each call from a script costs as much as the work itself.
local function all(things, command, ...)
  local most = 1000
  for first = 1, #things, most do
    local n = select('#', ...)
    local words = { command, ... }
    for i = first, math.min(first + most - 1, #things) do
      n = n + 1
      words[n + 1] = things[i]
    end
    call(unpack(words))
  end
end

local function bury(key, id, code, notice)
  call('HSET', key, 's', 'dead', 'code', code, 'r', notice)
  call('ZADD', dead, whole(now), id)
  local most = tonumber(call('HGET', meta, 'letters') or deadMax)
  local over = most < 0 and 0 or math.min(call('ZCARD', dead) - most, 100)
  if over <= 0 then return end
  local first = call('ZPOPMIN', dead, over)
  for i = 1, #first, 2 do
    call('DEL', jobKey(first[i]))
    count('dead_dropped')
  end
end

local settle = {
  d = function(key, id, h, token, keep, result) -- done
    keep = tonumber(keep)
    if h[3] then keep = math.max(keep, 10000) end
    if keep == 0 then
      finished[#finished + 1] = key
    else
      call('DEL', key)
      call('HSET', key, 'd', '', 't', token, 's', 'done', 'r', result)
      call('PEXPIRE', key, keep)
    end
    if h[4] then release(h[4], id) end
    count('done')
  end,
  r = function(key, id, _, token, delay, counted, suffix) -- again, at once or later
    if suffix ~= '' then note(key, token, now, suffix) end
    if counted == 'lost' then counted = call('HINCRBY', key, 'l', 1) <= leasesMax and '0' or '1' end
    if counted == '1' then
      call('HINCRBY', key, 'a', 1)
      count('retried')
    end
    call('HDEL', key, 'w', 'b', 'e')
    delay = tonumber(delay)
    if delay == 0 then
      enter(AGAIN, id, key)
    else
      call('ZADD', delayed, whole(now + delay), id)
      poke = 1
    end
  end,
  x = function(key, id, h, token, code, notice, suffix) -- dead
    if suffix ~= '' then -- none: it never ran
      note(key, token, now, suffix)
      call('HINCRBY', key, 'a', 1)
    end
    call('HDEL', key, 'w', 'b', 'e')
    bury(key, id, code, notice)
    release(h[4], id)
    count('died')
  end,
}

local function go(s, entry) left[s][#left[s] + 1] = entry end

-- Whether an entry is still this worker's: it may have been taken over, or settled, while its delivery was on the way.
local function mine(s, entry)
  local pending = redis.pcall('XPENDING', streams[s], group, entry, entry, 1, worker)
  return not pending.err and pending[1] ~= nil
end

-- 1 or the askers: accepted; 0: another worker has the job; 2: there is no such job; 3: was accepted before; 4: somebody awaits it by now,
-- so it is to be settled again with its result.
local function settled(kind, s, entry, id, token, a, b, c)
  if kind == 'g' then -- given back, never started
    if not mine(s, entry) then return 0 end
    leave(s, entry)
    if id ~= '' then
      local key = jobKey(id)
      local h = call('HMGET', key, 'd', 'e', 'w')
      if not h[1] then
        ghosts = ghosts + 1
      elseif not h[2] or h[2] == place(s, entry) then
        if h[3] then -- it was started, and the worker never learned of it
          call('HDEL', key, 'w', 'b')
          if limited then call('SREM', running, id) end
        end
        enter(AGAIN, id, key)
      end
    end
    return 1
  end
  local key = jobKey(id)
  local h = call('HMGET', key, 't', 'w', 'k', 'u')
  if not h[1] then
    go(s, entry)
    if limited then call('SREM', running, id) end
    return 2
  end
  if h[1] ~= token then
    if call('HGET', key, 'e') ~= place(s, entry) then go(s, entry) end -- of an earlier job under the same ID
    return 0
  end
  if h[2] ~= worker then return 3 end
  if kind == 'b' then
    call('HDEL', key, 'b')
    return 1
  end
  if kind == 'd' and h[3] and b == '' then return 4 end
  go(s, entry)
  if limited then call('SREM', running, id) end
  settle[kind](key, id, h, token, a, b, c)
  return h[3] or 1
end

for i = 1, number() do
  local kind, n = ARGV[at + 1], 5
  if kind == 'd' then n = 7 elseif kind == 'r' or kind == 'x' then n = 8 end
  verdicts[i] = settled(kind, tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], ARGV[at + 8])
  at = at + n
end

-- Deletes entries of a line that were acknowledged. What stands before the first one that some worker has is of no use to anybody: it is
-- cut off, which costs a tenth of deleting one by one.
local function delete(s, entries)
  local pending = redis.pcall('XPENDING', streams[s], group, '-', '+', 1)
  local first = not pending.err and pending[1] and pending[1][1]
  local rest = entries
  if first then
    if call('XTRIM', streams[s], 'MINID', '=', first) == #entries then return end
    local dash = string.find(first, '-', 1, true)
    local time, number = string.sub(first, 1, dash), tonumber(string.sub(first, dash + 1))
    rest = {}
    for _, entry in ipairs(entries) do
      local t = string.sub(entry, 1, dash)
      if t > time or t == time and tonumber(string.sub(entry, dash + 1)) > number then rest[#rest + 1] = entry end
    end
  end
  if #rest > 0 then all(rest, 'XDEL', streams[s]) end
end

for s = 1, #streams do
  local n = #left[s]
  if n > 0 and not (ackdel and n <= 1000 and not redis.pcall('XACKDEL', streams[s], group, 'IDS', n, unpack(left[s])).err) then
    all(left[s], 'XACK', streams[s], group)
    delete(s, left[s])
  end
end
if #finished > 0 then all(finished, 'DEL') end
for what, n in pairs(counts) do call('HINCRBY', meta, what, n) end
met_ghosts(ghosts)
ghosts = 0

local holds = number()
local held = {}
for i = 1, holds do held[i] = { number(), arg(), arg() } end
local want, starts = number(), number()
if want == 0 and holds == 0 then return { now, 0, 0, poke, verdicts, {} } end

-- What pause, rate and concurrency allow.
local rule = call('HMGET', meta, 'paused', 'rate', 'per', 'burst', 'next', 'running')
if rule[1] then return { now, 250, 0, poke, verdicts, {} } end
local allowed, wait, step = want + holds, 0, nil
local from = now
if rule[6] then
  limited = true
  for _, e in ipairs(held) do -- started, and the worker never learned of it: it does not run
    local h = call('HMGET', jobKey(e[3]), 'w', 'e')
    if h[1] == worker and h[2] == place(e[1], e[2]) then call('SREM', running, e[3]) end
  end
  local free = tonumber(rule[6]) - call('SCARD', running)
  if free <= 0 then return { now, 50, 0, poke, verdicts, {} } end
  if free < allowed then allowed, wait = free, 50 end
end
if rule[2] then -- the bucket is empty when `next` is burst steps ahead
  step = tonumber(rule[3]) / tonumber(rule[2])
  from = math.max(tonumber(rule[5] or '0'), now)
  local full = now + tonumber(rule[4]) * step
  local free = math.floor((full - from) / step + 1e-6)
  if free <= 0 then return { now, math.max(1, math.ceil(from + step - full)), 0, poke, verdicts, {} } end
  if free < allowed then
    allowed = free
    wait = math.max(wait, math.max(1, math.ceil(from + (free + 1) * step - full)))
  end
end

local jobs, started, later, bytes = {}, 0, {}, 0

local function start(s, entry, id, was_held)
  local key, here = jobKey(id), place(s, entry)
  local h, fields = {}, call('HGETALL', key) -- most have nothing but d, and naming all costs more
  for i = 1, #fields, 2 do h[fields[i]] = fields[i + 1] end
  local unheard = was_held and h.w == worker and h.e == here -- it was started, and the worker never learned of it
  if not h.d or h.s or (h.w and not unheard) or (h.e and h.e ~= here) then -- deleted or over, another entry stands for it, or a mark
    if id == '' then poke = 1 elseif not h.d then ghosts = ghosts + 1 end
    leave(s, entry)
    return
  end
  -- The time makes it differ from those of an earlier job under the same ID.
  local token, text = instant, instant_text
  if h.t and h.t + 1 > instant then token, text = h.t + 1, whole(h.t + 1) end
  local flags = 0
  if h.x and now > tonumber(h.x) then flags = 1 end
  call('HSET', key, 't', text, 'w', worker, 'e', here)
  if started >= starts and not h.c then -- ahead: counts only once it has begun
    call('HSET', key, 'b', 0)
  elseif h.b then -- of the start that was never heard of
    call('HDEL', key, 'b')
  end
  if limited then call('SADD', running, id) end
  started, bytes = started + 1, bytes + #h.d
  local n = #jobs
  jobs[n + 1], jobs[n + 2], jobs[n + 3], jobs[n + 4] = s, entry, id, h.d
  jobs[n + 5], jobs[n + 6], jobs[n + 7], jobs[n + 8] = token, (h.a or 0) + 1, h.k or '', flags
end

local function read(s, n)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, worker, 'COUNT', n, 'STREAMS', streams[s], '>')
  if no_group(reply) then
    group_of(s)
    reply = call('XREADGROUP', 'GROUP', group, worker, 'COUNT', n, 'STREAMS', streams[s], '>')
  end
  if not reply then return false end
  if reply.err then return error(reply.err) end
  local entries = reply[1][2]
  for _, entry in ipairs(entries) do
    if bytes < replyMax then
      start(s, entry[1], entry[2][2], false)
    else
      local n = #later
      later[n + 1], later[n + 2], later[n + 3] = s, entry[1], entry[2][2]
    end
  end
  return #entries >= n
end

local dealt = 0
for _, e in ipairs(held) do
  if started >= allowed or bytes >= replyMax then break end
  if mine(e[1], e[2]) then start(e[1], e[2], e[3], true) end
  dealt = dealt + 1
end
local room = math.min(want, allowed - started)
local target = started + room
local lines, rest = {}, {}
for i = 1, number() do lines[i] = { number(), number() } end
for _, line in ipairs(lines) do
  local before, more, tries = started, true, 0
  local n = math.min(line[2], target - started)
  while n > 0 and more and bytes < replyMax and tries < 100 do -- again where there were entries of deleted jobs
    more = read(line[1], n)
    n = math.min(line[2] - (started - before), target - started)
    tries = tries + 1
  end
  if more then rest[#rest + 1] = line[1] end
end
for _, s in ipairs(rest) do -- lines that may have more, where others had less than their share
  if started < target and bytes < replyMax then read(s, target - started) end
end
if step then call('HSET', meta, 'next', string.format('%.3f', from + started * step)) end
if started < allowed then wait = 0 end -- not the limit, but the queue ended it
met_ghosts(ghosts)
return { now, wait, dealt, poke, verdicts, jobs, later }
