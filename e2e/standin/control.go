package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/runner/sandbox"
)

const maxControlBody = 1 << 20

func listenControl(addr string, stands []*stand) (*http.Server, net.Addr, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("control address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, nil, fmt.Errorf("control address %q is not of loopback", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listening for control: %w", err)
	}
	server := &http.Server{Handler: controlHandler(stands), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return server, listener.Addr(), nil
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

func refuse(w http.ResponseWriter, err error) {
	answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
}

// controlHandler answers on the control address, which has no sign-in. With ?part= it is about that part, else about
// the first:
//
//	GET /__stats, GET /__requests
//	GET /__faults, POST /__faults        a JSON list of faults
//	GET /__invocations[?from=SEQUENCE]   fc: JSON lines, oldest first, with the body as a member of the same name
//	POST /__slow?ms=N                    fc: how long the function slow waits
//	GET /__rows?table=NAME               odps: JSON lines, a row each
//	GET /__sessions                      odps: upload sessions, newest first
//	POST /__sessions?id=ID&status=S      odps: NORMAL, CLOSING, CANCELED, EXPIRED, CRITICAL; "forget" makes it unknown
//	POST /__tokens?expire, ?forget       sts: ends what was issued, or makes it unknown
func controlHandler(stands []*stand) http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, handle func(s *stand, w http.ResponseWriter, r *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			for _, s := range stands {
				if part := r.URL.Query().Get("part"); part == "" || part == s.name {
					handle(s, w, r)
					return
				}
			}
			refuse(w, fmt.Errorf("part %q does not run", r.URL.Query().Get("part")))
		})
	}
	on("GET /__stats", func(s *stand, w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, s.stats()) })
	on("GET /__requests", func(s *stand, w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, s.requests(0)) })
	on("GET /__faults", func(s *stand, w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, s.faults.List()) })
	on("POST /__faults", setFaults)
	for _, s := range stands {
		switch {
		case s.fc != nil:
			fcControl(mux, s.fc)
		case s.odps != nil:
			odpsControl(mux, s.odps)
		case s.sts != nil:
			mux.HandleFunc("POST /__tokens", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("expire") {
					s.sts.Tokens().Expire()
				}
				if r.URL.Query().Has("forget") {
					s.sts.Tokens().Forget()
				}
				answer(w, http.StatusOK, s.stats())
			})
		}
	}
	return mux
}

func setFaults(s *stand, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err == nil {
		var faults []sandbox.Fault
		if faults, err = sandbox.ParseFaults(body); err == nil {
			err = s.faults.Set(faults...)
		}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, s.faults.List())
}

// lines answers with JSON lines as visit hands them out; an error after the first cuts the connection, so that a
// shortened list is never taken for the whole.
func lines(w http.ResponseWriter, each func(write func(any) error) error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := json.NewEncoder(w)
	if err := each(encoder.Encode); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func fcControl(mux *http.ServeMux, f *sandbox.FC) {
	mux.HandleFunc("GET /__invocations", func(w http.ResponseWriter, r *http.Request) {
		from := int64(0)
		if given := r.URL.Query().Get("from"); given != "" {
			var err error
			if from, err = strconv.ParseInt(given, 10, 64); err != nil {
				refuse(w, fmt.Errorf("from %q is no sequence", given))
				return
			}
		}
		lines(w, func(write func(any) error) error {
			return f.EachInvocation(r.Context(), from, func(inv sandbox.FCInvocation, body []byte) error {
				return write(struct {
					sandbox.FCInvocation
					Body string `json:"body"`
				}{inv, string(body)})
			})
		})
	})
	mux.HandleFunc("POST /__slow", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
		if err != nil {
			refuse(w, fmt.Errorf("ms %q is no number", r.URL.Query().Get("ms")))
			return
		}
		f.SetSlow(time.Duration(ms) * time.Millisecond)
		answer(w, http.StatusOK, map[string]int{"ms": ms})
	})
}

func odpsControl(mux *http.ServeMux, o *sandbox.ODPS) {
	mux.HandleFunc("GET /__rows", func(w http.ResponseWriter, r *http.Request) {
		lines(w, func(write func(any) error) error {
			return o.EachRow(r.Context(), r.URL.Query().Get("table"), func(row sandbox.ODPSRow) error { return write(row) })
		})
	})
	mux.HandleFunc("GET /__sessions", func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, o.Sessions()) })
	mux.HandleFunc("POST /__sessions", func(w http.ResponseWriter, r *http.Request) {
		id, status := r.URL.Query().Get("id"), r.URL.Query().Get("status")
		if status == "forget" {
			o.ForgetSession(id)
		} else if err := o.SetSession(id, status); err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, o.Sessions())
	})
}
