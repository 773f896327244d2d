//go:build deps

package main

import (
	_ "github.com/IBM/sarama"
	_ "github.com/a-h/templ"
	_ "github.com/aliyun/aliyun-oss-go-sdk/oss"
	_ "github.com/aliyun/credentials-go/credentials"
	_ "github.com/chromedp/chromedp"
	_ "github.com/PuerkitoBio/goquery"
	_ "github.com/gin-gonic/gin"
	_ "github.com/hamba/avro/v2"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/minio/crc64nvme"
	_ "github.com/parquet-go/parquet-go"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/twmb/franz-go/pkg/kfake"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/net/proxy"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/time/rate"
	_ "gopkg.in/yaml.v3"
	_ "gorm.io/driver/sqlite"
	_ "gorm.io/gorm"
)
