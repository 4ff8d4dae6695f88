// Package scenario walks the scenario with one client, and prints what that client shows of each step as a
// line of JSON.
package scenario

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

const (
	patience = 20 * time.Second
	pause    = 100 * time.Millisecond
)

// Object is what a JSON object becomes.
type Object = map[string]any

// API is a product of the vendor: its version, and where its parameters travel.
type API struct {
	Version      string `json:"version"`
	ParametersIn string `json:"parameters_in"`
}

// Refused is a refusal as the client shows it: its code and its text.
type Refused struct{ Code, Shown string }

func (refused *Refused) Error() string { return refused.Shown }

// Client makes calls. How says in which way; Call gives the reply or, as its error, a *Refused.
type Client interface {
	How(api API, action string) string
	Call(api API, action string, parameters Object) (Object, error)
}

type run struct {
	APIs    map[string]API    `json:"apis"`
	Steps   []step            `json:"steps"`
	Servers map[string]string `json:"servers"`
	Key     string            `json:"key"`
	Secrets map[string]string `json:"secrets"`
}

type step struct {
	ID, API, Action, Server, Secret, Needs, Until string
	Parameters                                    Object
	Save                                          map[string]string
	Expect                                        struct {
		Path  string
		Value any
	}
}

type line struct {
	Client  string  `json:"client"`
	Version string  `json:"version"`
	Step    string  `json:"step"`
	How     string  `json:"how"`
	OK      bool    `json:"ok"`
	Code    *string `json:"code"`
	Shown   *string `json:"shown"`
	Value   any     `json:"value"`
	reply   Object
}

// Walk takes the steps of the run that the first argument names.
func Walk(name string, modules []string, connect func(endpoint, key, secret string) (Client, error)) {
	var run run
	text, err := os.ReadFile(os.Args[1])
	must(err)
	must(json.Unmarshal(text, &run))
	answers := bufio.NewReader(os.Stdin)
	saved := map[string]string{}
	for _, step := range run.Steps {
		if step.Needs != "" {
			say(Object{"needs": step.Needs})
			_, err := answers.ReadString('\n')
			must(err)
		}
		server, secret := run.Servers[either(step.Server, "main")], run.Secrets[either(step.Secret, "right")]
		client, err := connect(server, run.Key, secret)
		must(err)
		line := repeated(step, client, run.APIs[step.API], filled(step.Parameters, saved))
		for place, path := range step.Save {
			saved[place] = fmt.Sprint(at(line.reply, path))
		}
		line.Client, line.Version, line.Step = name, versions(modules), step.ID
		say(line)
	}
}

// repeated gives the outcome of a step; the last one if the step waits for something.
func repeated(step step, client Client, api API, parameters Object) line {
	deadline := time.Now().Add(patience)
	for {
		line := outcome(step, client, api, parameters)
		done := step.Until == "" ||
			step.Until == "expected" && reflect.DeepEqual(line.Value, step.Expect.Value) ||
			step.Until == "refused" && !line.OK
		if done || time.Now().After(deadline) {
			return line
		}
		if step.Until == "expected" {
			time.Sleep(pause)
		}
	}
}

func outcome(step step, client Client, api API, parameters Object) line {
	how := client.How(api, step.Action)
	reply, err := client.Call(api, step.Action, parameters)
	if refused, ok := err.(*Refused); ok {
		return line{How: how, Code: &refused.Code, Shown: &refused.Shown}
	}
	must(err)
	return line{How: how, OK: true, Value: at(reply, step.Expect.Path), reply: reply}
}

// filled gives the parameters, with what earlier replies gave.
func filled(parameters Object, saved map[string]string) Object {
	place := regexp.MustCompile(`\{\w+\}`)
	filled := Object{}
	for name, value := range parameters {
		if text, ok := value.(string); ok {
			fill := func(found string) string { return saved[strings.Trim(found, "{}")] }
			value = place.ReplaceAllStringFunc(text, fill)
		}
		filled[name] = value
	}
	return filled
}

// at gives what a reply holds at a path such as `Images.Image.0.Status`, or nil.
func at(reply Object, path string) any {
	if path == "" {
		return nil
	}
	var value any = reply
	for _, name := range strings.Split(path, ".") {
		switch inside := value.(type) {
		case Object:
			value = inside[name]
		case []any:
			index, err := strconv.Atoi(name)
			if err != nil || index >= len(inside) {
				return nil
			}
			value = inside[index]
		default:
			return nil
		}
	}
	return value
}

// Plain gives a reply as the scenario looks into it: what its JSON says.
func Plain(reply any) (plain Object, err error) {
	text, err := json.Marshal(reply)
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	return plain, err
}

// versions gives the modules as they are built into this program.
func versions(modules []string) string {
	info, _ := debug.ReadBuildInfo()
	var found []string
	for _, module := range modules {
		for _, dependency := range info.Deps {
			if dependency.Path == module {
				found = append(found, strings.TrimPrefix(module, "github.com/")+" "+dependency.Version)
			}
		}
	}
	return strings.Join(found, ", ")
}

func either(value, other string) string {
	if value == "" {
		return other
	}
	return value
}

func say(line any) {
	text, err := json.Marshal(line)
	must(err)
	fmt.Println(string(text))
}

// must ends the program: what is no refusal is a fault of the client or of this program.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
