// Package sandbox runs, inside the console's own process or beside it, what a newcomer needs to see connectors work:
// an embedded Kafka broker that keeps its data and stand-ins for the cloud services that connectors write to. The
// stand-ins check signatures and limits as the services do, and can be told to fail.
//
// Everything listens on loopback only and keeps its state under one data folder. Nothing here is meant for production:
// durability is that of a process that is killed, not that of a machine that loses power.
package sandbox
