#!lua flags=allow-oom
-- Takes over from a worker that is gone, or from one that leaves. Arguments: the worker, the heartbeat that it was judged by (or
-- nothing: whatever it was), who says so and why (as in the history), whether a started job counts as an attempt.
-- Answers {jobs taken over, whether there are more}; -1 where the worker has shown itself since.
local worker, seen, suffix, counted, now = arg(), arg(), arg(), arg(), clock()
local score = call('ZSCORE', workers, worker)
if seen ~= '' and score and tonumber(score) ~= tonumber(seen) then return { -1, 0 } end
local batch, taken, more = 200, 0, 0

local function over(s, entry)
  local found = call('XRANGE', streams[s], entry, entry)[1]
  leave(s, entry)
  if not found or found[2][2] == '' then return end
  local id = found[2][2]
  local key = jobKey(id)
  local h = call('HMGET', key, 'd', 'w', 't', 'b', 'e')
  if not h[1] then met_ghosts(1) end
  if not h[1] or h[1] == '' or (h[5] and h[5] ~= place(s, entry)) then return end -- deleted, over, or another entry stands for it
  if h[2] == worker then
    call('HINCRBY', key, 't', 1) -- whatever the worker still says of it is refused
    if h[4] then -- fetched ahead, and perhaps never begun: counted the next time
      call('HSET', key, 'c', 1)
    else
      note(key, h[3], now, suffix)
      if counted == '1' then call('HINCRBY', key, 'a', 1) end
    end
    call('HDEL', key, 'w', 'b')
    call('SREM', running, id)
  end
  enter(AGAIN, id, key)
  taken = taken + 1
end

for s = 1, #streams do
  local pending = redis.pcall('XPENDING', streams[s], group, '-', '+', batch, worker)
  if not pending.err then
    for _, p in ipairs(pending) do over(s, p[1]) end
    if #pending == batch then more = 1 end
  end
end
if more == 0 then
  for s = 1, #streams do redis.pcall('XGROUP', 'DELCONSUMER', streams[s], group, worker) end
  call('ZREM', workers, worker)
end
return { taken, more }
