#!lua flags=allow-oom
-- Deletes dead jobs, the longest dead first. Arguments: the time until which they died. Answers {how many, how many were looked at}.
local ids = call('ZRANGEBYSCORE', dead, '-inf', arg(), 'LIMIT', 0, 100)
for _, id in ipairs(ids) do
  call('ZREM', dead, id)
  release(call('HGET', jobKey(id), 'u'), id)
  call('DEL', jobKey(id))
end
return { #ids, #ids }
