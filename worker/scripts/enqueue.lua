#!lua
-- Takes jobs in. Arguments: how many, then for each its ID, its spec, who awaits it, and its options as JSON, or nothing.
-- Answers what became of each (1 taken in, 0 known already, 2 no room, 3 unique key taken), the IDs that hold the unique keys,
-- and IDs and askers of jobs that were dropped for room.
local now = clock()
local limit = call('HMGET', meta, 'length', 'drop', 'ghosts')
local room
if limit[1] then
  room = tonumber(limit[1]) + tonumber(limit[3] or 0) - call('ZCARD', delayed)
  for s = 1, LINES do room = room - call('XLEN', streams[s]) end
end
local verdicts, holders, dropped, mark = {}, {}, {}, false
local CHOSEN = { p = NORMAL, d = 0, at = 0, x = 0, w = 0, c = true } -- the options of a plain job under a chosen ID

-- Drops the job that has waited longest, of the lowest priority that has any.
local function drop()
  for s = LINES, 1, -1 do
    local entry = oldest(s)
    while entry do
      local id = entry[2][2]
      call('XDEL', streams[s], entry[1])
      local h = call('HMGET', jobKey(id), 'd', 'u', 'k', 'e')
      if h[1] and (not h[4] or h[4] == place(s, entry[1])) then
        release(h[2], id)
        call('DEL', jobKey(id))
        call('HINCRBY', meta, 'dropped', 1)
        dropped[#dropped + 1] = id
        dropped[#dropped + 1] = h[3] or ''
        return true
      end
      if not h[1] then met_ghosts(1) end
      entry = oldest(s)
    end
  end
  return false
end

local function claim(name, window, id)
  local key = uniqueKey(name)
  local taken = window > 0 and call('SET', key, id, 'NX', 'PX', window) or call('SET', key, id, 'NX')
  if taken then return nil end
  local holder = call('GET', key)
  if window == 0 and call('EXISTS', jobKey(holder)) == 0 then
    call('SET', key, id)
    return nil
  end
  return holder
end

local function take_in(id, spec, asker, opt)
  local key = jobKey(id)
  if call('HSETNX', key, 'd', spec) == 0 then
    if asker ~= '' and not call('HGET', key, 's') then add_asker(key, call('HGET', key, 'k'), asker) end
    return 0
  end
  if room and room <= 0 and not (limit[2] == '1' and drop()) then
    call('DEL', key)
    return 2
  end
  if opt and opt.u then
    local holder = claim(opt.u, opt.w, id)
    if holder then
      call('DEL', key)
      holders[#holders + 1] = holder
      return 3
    end
    if opt.w == 0 then call('HSET', key, 'u', opt.u) end
  end
  if asker ~= '' then call('HSET', key, 'k', asker) end
  if room then room = room - 1 end
  if not opt then
    enter(NORMAL, id)
    return 1
  end
  if opt.p ~= NORMAL then call('HSET', key, 'p', opt.p) end
  local due = opt.at
  if opt.d > 0 then due = now + opt.d end
  if opt.x > 0 then call('HSET', key, 'x', whole(math.max(now, due) + opt.x)) end
  if due <= now then
    enter(opt.p, id, opt.c and key)
    return 1
  end
  local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if not first[1] or due < tonumber(first[2]) then mark = true end
  call('ZADD', delayed, whole(due), id)
  return 1
end

for i = 1, number() do
  local id, spec, asker, options = arg(), arg(), arg(), arg()
  local opt = nil
  if options == 'c' then opt = CHOSEN elseif options ~= '' then opt = cjson.decode(options) end
  verdicts[i] = take_in(id, spec, asker, opt)
end
-- An entry without a job wakes one worker, which then learns when the next delayed job is due.
if mark then call('XADD', streams[MARK], 'MAXLEN', 1, '*', 'j', '') end
return { verdicts, holders, dropped }
