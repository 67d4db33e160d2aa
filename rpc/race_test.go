//go:build race

package rpc

const raced = true
