#!lua flags=allow-oom
-- What Redis thinks a worker has, and who has entries without being known. Arguments: the worker, how many entries of a line to look at.
-- Answers {line, entry, …} of the entries that are the worker's.
local worker, most, now = arg(), arg(), clock()
local found = {}
for s = 1, #streams do
  local pending = redis.pcall('XPENDING', streams[s], group, '-', '+', most, worker)
  if not pending.err then
    for _, p in ipairs(pending) do
      found[#found + 1] = s
      found[#found + 1] = p[1]
    end
  end
  -- A worker that died before its first heartbeat after being called dead has entries that nobody would look for.
  local consumers = redis.pcall('XINFO', 'CONSUMERS', streams[s], group)
  if not consumers.err then
    for _, c in ipairs(consumers) do
      local name, has
      for i = 1, #c, 2 do
        if c[i] == 'name' then name = c[i + 1] end
        if c[i] == 'pending' then has = c[i + 1] end
      end
      if has and has > 0 then call('ZADD', workers, 'NX', whole(now), name) end
    end
  end
end
return found
