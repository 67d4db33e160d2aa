#!lua
-- Fires a tick of a schedule, once over all nodes. Arguments: the schedule's name, the tick or nothing (then it only tells), the ID of
-- its job, its spec, its line. Answers {time, last tick, whether this call fired it}. A new schedule begins now.
local name, tick, now = arg(), arg(), clock()
local schedules = base .. 'schedules'
local last = call('HGET', schedules, name)
if not last then
  last = whole(now)
  call('HSET', schedules, name, last)
end
if tick == '' or tonumber(tick) <= tonumber(last) then return { now, tonumber(last), 0 } end
call('HSET', schedules, name, tick)
local id, spec, line = arg(), arg(), number()
if call('HSETNX', jobKey(id), 'd', spec) == 1 then
  if line ~= NORMAL then call('HSET', jobKey(id), 'p', line) end
  enter(line, id, jobKey(id))
end
return { now, tonumber(tick), 1 }
