package publisher

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// A visitor asks one node by HTTP.
type visitor struct {
	node   Node
	client *http.Client
	now    func() int64 // the time of the history
}

func visit(n Node, now func() int64) *visitor {
	return &visitor{node: n, now: now, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}}
}

func (v *visitor) from() string  { return v.node.Name }
func (v *visitor) entry() string { return v.node.Name }

func (v *visitor) ask(ctx context.Context, key history.Key, d *plan) history.End {
	end := history.End{Key: key}
	fields := map[string]any{"to": d.to, "event": "chaos", "data": d.body(key)}
	way := "publish"
	if !d.publish {
		way = "request"
		fields["timeout_ms"] = d.timeout.Milliseconds()
		fields["require"], fields["level"] = orElse(d.require, "any"), orElse(d.level, "confirmed")
		fields["volatile"] = d.volatile
		if d.chosen {
			fields["id"] = d.id
		}
	}
	status, answer, err := v.post(ctx, way, fields)
	end.At = v.now()
	switch {
	case err != nil:
		end.Failure, end.Detail = history.Broken, err.Error()
	case status == http.StatusAccepted:
	case status == http.StatusServiceUnavailable:
		end.Failure, end.Detail = codeOf(answer), string(answer)
	case d.publish && status == http.StatusGatewayTimeout:
		end.Failure, end.Detail = history.Ambiguous, string(answer)
	default:
		if json.Unmarshal(answer, &end.Receipt) != nil || end.Receipt.Outcome == "" {
			end.Receipt, end.Failure, end.Detail = nil, fmt.Sprint("status ", status), string(answer)
		}
	}
	return end
}

// post waits longer than the call may take: that it ends in time is the node's business.
func (v *visitor) post(ctx context.Context, way string, fields any) (int, []byte, error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return 0, nil, err
	}
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline.Add(patience))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.node.Addr+"/v1/"+way, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := v.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// codeOf is the code of an error body.
func codeOf(answer []byte) string {
	var body struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(answer, &body) != nil || body.Error.Code == "" {
		return string(answer)
	}
	return body.Error.Code
}

func (v *visitor) close() error {
	v.client.CloseIdleConnections()
	return nil
}
