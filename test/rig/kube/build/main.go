// Command build builds the API server that tests start, unless it is built
// already. It needs some nine CPU minutes the first time.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	kuberig "github.com/eksafe/eksafe/test/rig/kube"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	file, err := kuberig.Build(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
	fmt.Println(file)
}
