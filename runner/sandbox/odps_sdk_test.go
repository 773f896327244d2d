package sandbox

import (
	"testing"

	"github.com/aliyun/aliyun-odps-go-sdk/odps"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"
)

func TestODPSx(t *testing.T) {
	o := odps.NewOdps(account.NewAliyunAccount("a", "b"), "http://127.0.0.1:1/api")
	_ = tunnel.NewTunnel(o)
}
