#!lua flags=allow-oom
-- Counts what a queue holds. Answers {time, waiting, running, delayed, dead, workers, when the oldest began to wait or 0, numbers and
-- limits by name}.
local now, waiting, taken, first = clock(), -tonumber(call('HGET', meta, 'ghosts') or 0), 0, 0
for s = 1, LINES do
  local pending = group_state(s)
  taken = taken + pending
  waiting = waiting + call('XLEN', streams[s]) - pending
  local entry = oldest(s)
  if entry then
    local since = tonumber(string.match(entry[1], '^%d+'))
    if first == 0 or since < first then first = since end
  end
end
return { now, math.max(waiting, 0), taken, call('ZCARD', delayed), call('ZCARD', dead), call('ZCARD', workers), first,
  call('HGETALL', meta) }
