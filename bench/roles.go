package main

import "github.com/ackbus/ackbus/bench/internal/role"

// roles are those that this program plays itself. The others are those of bench/peers.
var roles = map[string]role.Start{
	"floor-requester":   floorRequester,
	"floor-responder":   floorResponder,
	"plain-requester":   plainRequester,
	"plain-responder":   plainResponder,
	"bus-requester":     busRequester,
	"bus-responder":     busResponder,
	"rpc-requester":     rpcRequester,
	"rpc-responder":     rpcResponder,
	"rpc-raw-requester": rawRequester,
	"rpc-raw-responder": rawResponder,
	"worker-pool":       workerPool,
	"worker-producer":   workerProducer,
	"gateway-publisher": gatewayPublisher,
	"gateway-node":      gatewayNode,
	"gateway-clients":   gatewayClients,
}
