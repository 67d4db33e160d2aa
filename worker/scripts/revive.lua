#!lua
-- Dead jobs wait again, with all their attempts before them and their history behind. Arguments: an ID, or nothing for the 100 that
-- have been dead longest, with the time until which they died (or nothing). Answers how many.
local id, till, now = arg(), arg(), clock()
local ids = { id }
if id == '' then ids = call('ZRANGEBYSCORE', dead, '-inf', till, 'LIMIT', 0, 100) end
local revived = 0
for _, each in ipairs(ids) do
  local key = jobKey(each)
  if call('ZREM', dead, each) == 1 and call('HEXISTS', key, 'd') == 1 then
    call('HDEL', key, 's', 'code', 'r', 'a', 'c', 'x', 'k', 'l', 'q')
    enter(tonumber(call('HGET', key, 'p') or NORMAL), each, key)
    revived = revived + 1
  end
end
return { revived, #ids }
