#!lua flags=allow-oom
-- A worker's heartbeat, which also has delayed jobs join the line that are due. Arguments: the worker, or nothing.
-- Answers {time, whether the worker was known, time of the next delayed job or 0, whether more are due now}.
local worker, now = arg(), clock()
local known = 1
if worker ~= '' then
  if not call('ZSCORE', workers, worker) then known = 0 end
  call('ZADD', workers, whole(now), worker)
end
local batch = 500
local due = call('ZRANGEBYSCORE', delayed, '-inf', whole(now), 'LIMIT', 0, batch)
for _, id in ipairs(due) do
  local key = jobKey(id)
  local h = call('HMGET', key, 'd', 'p')
  if h[1] then enter(tonumber(h[2] or NORMAL), id, key) end
  call('ZREM', delayed, id)
end
local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
return { now, known, tonumber(first[2] or 0), #due == batch and 1 or 0 }
