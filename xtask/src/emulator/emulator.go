// Serves Google's own in-memory Bigtable, the one of its Go library, as its SDK's emulator does.
package main

import (
	"flag"
	"fmt"
	"log"

	"cloud.google.com/go/bigtable/bttest"
	"google.golang.org/grpc"
)

func main() {
	host := flag.String("host", "localhost", "address to listen on")
	port := flag.Int("port", 9000, "port to listen on; 0 takes any that is free")
	flag.Parse()
	address := fmt.Sprintf("%s:%d", *host, *port)
	server, err := bttest.NewServer(address, grpc.MaxRecvMsgSize(256<<20), grpc.MaxSendMsgSize(256<<20))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Cloud Bigtable emulator running on", server.Addr)
	select {}
}
