#!lua flags=allow-oom
-- Deletes a job, whatever it is doing. Arguments: ID, whether only a dead one. Answers {whether there was one, worker, askers}.
local id, dead_only = arg(), arg()
local key = jobKey(id)
local h = call('HMGET', key, 'd', 's', 'w', 'k', 'u', 'e')
if not h[1] or (dead_only == '1' and h[2] ~= 'dead') then return { 0, '', '' } end
call('ZREM', dead, id)
local was_delayed = call('ZREM', delayed, id) == 1
call('SREM', running, id)
call('DEL', key)
release(h[5], id)
if h[6] then
  local s, entry = string.match(h[6], '^(%d+) (.+)$')
  leave(tonumber(s), entry)
elseif not h[2] and not was_delayed then
  call('HINCRBY', meta, 'ghosts', 1) -- its entry is dealt with when its turn comes
end
return { 1, h[3] or '', (not h[2]) and h[4] or '' }
