package gateway

import (
	"fmt"
	"testing"
)

func TestQueueKeepsOrderAndCount(t *testing.T) {
	var q queue
	pushed, popped := 0, 0
	for range 2000 { // a consumer that never quite catches up
		for range 3 {
			q.push(item{frame: fmt.Append(nil, pushed)})
			pushed++
		}
		for range 2 {
			it := q.pop()
			if string(it.frame) != fmt.Sprint(popped) {
				t.Fatalf("popped %s, want %d", it.frame, popped)
			}
			popped++
			q.written(1)
		}
	}
	if q.waiting() != pushed-popped || q.count != pushed-popped {
		t.Errorf("%d waiting, count %d, want %d", q.waiting(), q.count, pushed-popped)
	}
	if cap(q.items) > 4*q.waiting() {
		t.Errorf("room for %d, %d are waiting: what was popped is kept", cap(q.items), q.waiting())
	}
	for q.waiting() > 0 {
		q.pop()
		q.written(1)
	}
	if q.trim(); q.items != nil || q.bytes != 0 || q.count != 0 {
		t.Errorf("an empty queue holds %d items, %d bytes", q.count, q.bytes)
	}
}

func TestQueueCut(t *testing.T) {
	var q queue
	for i := range 6 {
		q.push(item{frame: []byte{byte(i)}, message: i%2 == 0})
	}
	taken := q.pop()
	cut := q.cut(func(it item) bool { return it.message })
	if len(cut) != 2 || q.waiting() != 3 || q.count != 4 || q.bytes != 3 {
		t.Errorf("%d cut, %d waiting, %d counted with %d bytes", len(cut), q.waiting(), q.count, q.bytes)
	}
	if q.written(1); taken.frame[0] != 0 || q.pop().frame[0] != 1 || q.pop().frame[0] != 3 {
		t.Error("the rest is out of order")
	}
}

func TestQueueLimits(t *testing.T) {
	var q queue
	if !q.has(1<<30, 2, 100) {
		t.Error("an empty queue refuses one large frame")
	}
	q.push(item{frame: make([]byte, 60)})
	if !q.has(40, 2, 100) || q.has(41, 2, 100) {
		t.Error("the limit in bytes does not hold")
	}
	q.push(item{})
	if q.has(0, 2, 100) {
		t.Error("the limit in messages does not hold")
	}
	q.pop()
	if !q.has(100, 2, 100) {
		t.Error("what is being written counts")
	}
}
