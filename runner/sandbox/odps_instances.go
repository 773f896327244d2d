package sandbox

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// SQL jobs. A statement runs while the request that creates its instance waits; SQLTakes lets the instance look as if
// it were running for longer.

const odpsInstancesKept = 1000

type odpsInstances struct {
	mu    sync.Mutex
	list  map[string]*odpsInstance
	order []string
}

type odpsInstance struct {
	id, task, sql string
	started, ends time.Time
	failed        bool
	result        string
}

func (s *odpsInstances) add(i *odpsInstance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list == nil {
		s.list = make(map[string]*odpsInstance)
	}
	s.list[i.id] = i
	if s.order = append(s.order, i.id); len(s.order) > odpsInstancesKept {
		delete(s.list, s.order[0])
		s.order = s.order[1:]
	}
}

func (s *odpsInstances) get(id string) *odpsInstance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[id]
}

// odpsJobXML is the body of a new instance; its task's element is named by its kind, SQL.
type odpsJobXML struct {
	XMLName xml.Name `xml:"Instance"`
	Tasks   struct {
		List []struct {
			XMLName xml.Name
			Name    string
			Config  []struct {
				Name, Value string
			} `xml:"Config>Property"`
			Query string
		} `xml:",any"`
	} `xml:"Job>Tasks"`
}

func (o *ODPS) createInstance(q *odpsRequest) *odpsError {
	body, oerr := o.readBody(q)
	if oerr != nil {
		return oerr
	}
	var job odpsJobXML
	if err := xml.Unmarshal(body, &job); err != nil {
		return odpsErr(http.StatusBadRequest, "ODPS-0420031", "Invalid XML in HTTP request body - %s", err)
	}
	if len(job.Tasks.List) != 1 || job.Tasks.List[0].XMLName.Local != "SQL" || strings.TrimSpace(job.Tasks.List[0].Query) == "" {
		return odpsErr(http.StatusBadRequest, "ODPS-0420061", "Invalid parameter in HTTP request - the stand-in runs one SQL task with a Query")
	}
	task := job.Tasks.List[0]
	hints := make(map[string]string)
	for _, property := range task.Config {
		if property.Name != "settings" {
			continue
		}
		var settings map[string]any
		if err := json.Unmarshal([]byte(property.Value), &settings); err != nil {
			return odpsErr(http.StatusBadRequest, "ODPS-0420061", "Invalid parameter in HTTP request - settings are not a JSON object: %s", err)
		}
		for name, value := range settings {
			if text, ok := value.(string); ok {
				hints[name] = text
			}
		}
	}
	instance := &odpsInstance{id: q.now.UTC().Format("20060102150405000") + strings.ToLower(randomID()[:10]), task: task.Name, sql: task.Query, started: q.now, ends: q.now.Add(o.options.SQLTakes)}
	var err error
	if instance.result, err = o.query(context.WithoutCancel(q.r.Context()), q.name, task.Query, hints, q.now); err != nil {
		var refused *odpsSQLError
		if !errors.As(err, &refused) {
			return o.internal(q, err)
		}
		instance.failed, instance.result = true, refused.Error()
	}
	o.instances.add(instance)
	q.w.Header().Set("Location", "http://"+q.r.Host+strings.TrimSuffix(q.r.URL.Path, "/")+"/"+instance.id)
	q.w.WriteHeader(http.StatusCreated) // a body would be read as the result of a task that is done
	return nil
}

type odpsTaskXML struct {
	Type      string `xml:",attr"`
	Name      string
	StartTime string         `xml:",omitempty"`
	EndTime   string         `xml:",omitempty"`
	Status    string         `xml:",omitempty"`
	Result    *odpsResultXML `xml:",omitempty"`
}

type odpsResultXML struct {
	Transform string `xml:",attr,omitempty"`
	Format    string `xml:",attr"`
	Text      string `xml:",cdata"`
}

// newODPSResult codes a result in base64 where it has characters that XML has not, as the service may do.
func newODPSResult(format, text string) *odpsResultXML {
	bad := func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF
	}
	if strings.IndexFunc(text, bad) >= 0 {
		return &odpsResultXML{"Base64", format, base64.StdEncoding.EncodeToString([]byte(text))}
	}
	return &odpsResultXML{Format: format, Text: text}
}

func (o *ODPS) getInstance(q *odpsRequest) *odpsError {
	i := o.instances.get(q.instance)
	if i == nil {
		return odpsErr(http.StatusNotFound, "NoSuchInstance", "The specified instance does not exist: %s", clip(q.instance, 128))
	}
	running := q.now.Before(i.ends)
	doc := struct {
		XMLName xml.Name `xml:"Instance"`
		Status  string
		Tasks   []odpsTaskXML `xml:"Tasks>Task,omitempty"`
	}{Status: "Terminated"}
	task := odpsTaskXML{Type: "SQL", Name: i.task, Status: "Success"}
	if i.failed {
		task.Status = "Failed"
	}
	if running {
		doc.Status, task.Status = "Running", "Running"
	}
	q.w.Header().Set("x-odps-owner", DefaultKey)
	q.w.Header().Set("x-odps-start-time", i.started.UTC().Format(http.TimeFormat))
	if !running {
		q.w.Header().Set("x-odps-end-time", i.ends.UTC().Format(http.TimeFormat))
	}
	switch {
	case q.query.Has("taskstatus"):
		task.StartTime = i.started.UTC().Format(http.TimeFormat)
		if !running {
			task.EndTime = i.ends.UTC().Format(http.TimeFormat)
		}
		doc.Tasks = []odpsTaskXML{task}
	case q.query.Has("result"):
		if running {
			return odpsErr(http.StatusBadRequest, "InstanceNotTerminated", "The instance has not terminated")
		}
		task.Result = newODPSResult("csv", i.result)
		if i.failed {
			task.Result.Format = "text"
		}
		doc.Tasks = []odpsTaskXML{task}
	case q.query.Has("source"):
		return q.writeXML(http.StatusOK, struct {
			XMLName xml.Name `xml:"Job"`
			Name    string   `xml:"Tasks>SQL>Name"`
			Query   string   `xml:"Tasks>SQL>Query"`
		}{Name: i.task, Query: i.sql})
	case len(q.query) > 0 && !q.query.Has("curr_project") && !q.query.Has("instancestatus"):
		return odpsErr(http.StatusNotImplemented, "NotImplemented", "The stand-in tells an instance's status, taskstatus, result and source only")
	}
	return q.writeXML(http.StatusOK, doc)
}
