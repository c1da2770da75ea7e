// An S3 server over a folder, for tests and trials: sluice-s3 HOST:PORT FOLDER.
//
// It is the gateway of versitygw with the folder behind it and nothing else, which builds in half
// the time of its own command. ROOT_ACCESS_KEY and ROOT_SECRET_KEY sign; buckets are the folder's
// folders. What is beside an object (its tag, its metadata) is in extended attributes; on a file
// system without them, in files below FOLDER.beside.
package main

import (
	"fmt"
	"os"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

func backend(folder string) (*posix.Posix, error) {
	options := posix.PosixOpts{CopyObjectThreshold: 5 << 30}
	if err := (meta.XattrMeta{}).Test(folder); err == nil {
		return posix.New(folder, meta.XattrMeta{}, options)
	}
	options.SideCarDir = folder + ".beside"
	if err := os.MkdirAll(options.SideCarDir, 0o755); err != nil {
		return nil, err
	}
	beside, err := meta.NewSideCar(options.SideCarDir)
	if err != nil {
		return nil, err
	}
	return posix.New(folder, beside, options)
}

func serve(address string, folder string) error {
	files, err := backend(folder)
	if err != nil {
		return err
	}
	access, secret := os.Getenv("ROOT_ACCESS_KEY"), os.Getenv("ROOT_SECRET_KEY")
	root := auth.Account{Access: access, Secret: secret, Role: auth.RoleAdmin}
	server, err := s3api.New(files, middlewares.RootUserConfig{Access: access, Secret: secret},
		"us-east-1", auth.NewIAMServiceSingle(root), nil, nil, nil, nil,
		s3api.WithHealth("/health"), s3api.WithKeepAlive(), s3api.WithQuiet(),
		s3api.WithConcurrencyLimiter(1024, 512), s3api.WithMpMaxParts(10_000))
	if err != nil {
		return err
	}
	return server.ServeMultiPort([]string{address})
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sluice-s3 HOST:PORT FOLDER")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
