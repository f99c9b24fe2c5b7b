package rinkrestd

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
)

// pathParams are the parameters in a path.
var pathParams = regexp.MustCompile(`\{([a-z_]+)\}`)

// openAPI is the OpenAPI document of what is served: each path for each data parser, with
// its parameters. What is in documents is not described by schemas.
func (s *server) openAPI() []byte {
	paths := map[string]map[string]any{}
	for _, rt := range s.table {
		for _, version := range s.parsers {
			path := strings.Replace(rt.path, "{version}", version, 1)
			if paths[path] == nil {
				paths[path] = map[string]any{}
			}
			id := strings.ReplaceAll(version, ".", "") + "_" + rt.id
			if name, ok := strings.CutPrefix(rt.id, "slurmdb_"); ok {
				id = "slurmdb_" + strings.ReplaceAll(version, ".", "") + "_" + name
			} else if rt.part == partCtld {
				id = "slurm_" + id
			}
			paths[path][strings.ToLower(rt.method)] = operation(&rt, path, id)
		}
	}
	doc := map[string]any{
		"openapi": "3.0.3",
		"info": map[string]any{"title": "Slurm REST API", "version": "Slurm-" + cli.SurfaceVersion, "description": "The cluster over HTTP, as Slurm's REST interface has it.",
			"license": map[string]any{"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0.html"},
			"x-slurm": map[string]any{"release": cli.SurfaceVersion, "data_parsers": s.parsers}},
		"servers": []any{map[string]any{"url": "/"}},
		"paths":   paths,
		"components": map[string]any{"securitySchemes": map[string]any{
			"user":       map[string]any{"type": "apiKey", "in": "header", "name": "X-SLURM-USER-NAME", "description": "the user"},
			"token":      map[string]any{"type": "apiKey", "in": "header", "name": "X-SLURM-USER-TOKEN", "description": "a token of scontrol token"},
			"bearerAuth": map[string]any{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
		}},
		"security": []any{map[string]any{}, map[string]any{"user": []any{}, "token": []any{}}, map[string]any{"token": []any{}}, map[string]any{"bearerAuth": []any{}}},
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return []byte("{}") // of maps of texts nothing fails
	}
	return text
}

func operation(rt *route, path, id string) map[string]any {
	answer := func(what string) map[string]any {
		schema := map[string]any{"schema": map[string]any{"type": "object"}}
		return map[string]any{"description": what, "content": map[string]any{"application/json": schema, "application/x-yaml": schema}}
	}
	op := map[string]any{
		"operationId": id, "summary": rt.summary, "tags": []string{map[string]string{partCtld: "slurm", partDBD: "slurmdb", partUtil: "util"}[rt.part]},
		"responses": map[string]any{"200": answer(rt.summary), "default": answer("what went wrong, in errors")},
	}
	params := []any{}
	for _, m := range pathParams.FindAllStringSubmatch(path, -1) {
		params = append(params, map[string]any{"name": m[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	for _, p := range rt.query {
		params = append(params, map[string]any{"name": p.name, "in": "query", "description": p.doc, "schema": map[string]any{"type": "string"}})
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	if rt.body != "" {
		op["requestBody"] = map[string]any{"description": rt.body, "content": map[string]any{"application/json": map[string]any{"schema": map[string]any{"type": "object"}}}}
	}
	return op
}
