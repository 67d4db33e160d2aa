#!lua flags=allow-oom
-- Deletes a job, whatever it is doing. Arguments: ID, whether only a dead one. Answers {whether there was one, worker, askers}.
local id, dead_only = arg(), arg()
local key = jobKey(id)
local h = redis.call('HMGET', key, 'd', 's', 'w', 'k', 'u')
if not h[1] or (dead_only == '1' and h[2] ~= 'dead') then return { 0, '', '' } end
redis.call('ZREM', dead, id)
redis.call('ZREM', delayed, id)
redis.call('SREM', running, id)
redis.call('DEL', key)
release(h[5], id)
return { 1, h[3] or '', (not h[2]) and h[4] or '' }
