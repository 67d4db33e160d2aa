-- What json.lua has to read and to write. It runs beside it: package.path comes from the test.
local json = require "json"

local read = assert(json.decode [[
  {"list":[1,2.5,-3e2,[],{}],"yes":true,"no":false,"nothing":null,"text":"a\n\"\\\/\u00e9\u20ac\ud83d\ude00\ud83d","empty":""} ]])
assert(#read.list == 5 and math.type(read.list[1]) == "integer" and read.list[2] == 2.5 and read.list[3] == -300)
assert(#read.list[4] == 0 and next(read.list[5]) == nil)
assert(read.yes == true and read.no == false and read.nothing == nil)
assert(read.text == 'a\n"\\/é€😀\u{FFFD}', read.text)
assert(read.empty == "")

for _, bad in ipairs { "", "{", "[1", "[1 2]", '{"a"}', '{"a":}', '{1:2}', '"x', [["\q"]], [["\u12"]], "tru", "nul", "1 2", "[1,]", "-" } do
  local value, reason = json.decode(bad)
  assert(value == nil and reason, bad)
end

local written = json.encode { text = 'a\n"\\é\1', yes = true, n = 1250, inner = { x = 0.5 } }
assert(not written:find("\n"), "a frame is one line")
local back = assert(json.decode(written))
assert(back.text == 'a\n"\\é\1' and back.yes == true and back.n == 1250 and back.inner.x == 0.5)
assert(json.encode { n = 1250 } == '{"n":1250}')
