//go:build cgo

package pmix

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

// The part of the PMIx standard's ABI that is used here, which libpmix.so.2 has kept since version 3. It is written out so
// that a build needs no header of it and a program that was built anywhere finds the library where it runs.
// abi_test.go holds it against a header where there is one.
typedef struct { char nspace[256]; uint32_t rank; } proc_t;
typedef struct { uint16_t type; size_t size; void *array; } array_t;
typedef struct {
	uint16_t type;
	union { char *string; uint32_t u32; uint16_t u16; array_t *array; bool flag; struct { char *a, *b; char c; } envar; } data;
} value_t;
typedef struct { char key[512]; uint32_t flags; value_t value; } info_t;

typedef void (*op_done)(int status, void *data);
typedef void (*release)(void *data);
typedef void (*modex_done)(int status, const char *bytes, size_t size, void *data, release free_bytes, void *free_data);
typedef void (*dmodex_done)(int status, char *bytes, size_t size, void *data);

enum { SUCCESS = 0, FAILED = -1, NOT_SUPPORTED = -47, DONE = -157 };
enum { TYPE_STRING = 3, TYPE_UINT16 = 13, TYPE_UINT32 = 14, TYPE_INFO = 24, TYPE_ARRAY = 39, TYPE_RANK = 40 };
// Where a function stands in what PMIx_server_init is given.
enum { AT_CONNECTED = 0, AT_FINALIZED = 1, AT_ABORT = 2, AT_FENCE = 3, AT_DMODEX = 4, AT_REGISTER_EVENTS = 11, AT_DEREGISTER_EVENTS = 12, AT_ALL = 64 };

static struct {
	int (*init)(void *module, info_t *info, size_t n);
	int (*finalize)(void);
	int (*register_nspace)(const char *nspace, int local, info_t *info, size_t n, op_done done, void *data);
	int (*register_client)(const proc_t *proc, uid_t uid, gid_t gid, void *object, op_done done, void *data);
	int (*setup_fork)(const proc_t *proc, char ***env);
	int (*dmodex_request)(const proc_t *proc, dmodex_done done, void *data);
	int (*generate_regex)(const char *names, char **regex);
	int (*generate_ppn)(const char *ranks, char **regex);
	const char *(*error_string)(int status);
	const char *(*version)(void);
} lib;

// What waits for the host's answer.
typedef struct { op_done op; modex_done modex; void *data; } asked_t;

extern void onAbort(uint32_t rank, int status, char *words, void *asked);
extern int onFence(void *procs, size_t n, char *bytes, size_t size, void *asked);
extern int onModex(char *nspace, uint32_t rank, void *asked);
extern void onAnswer(int status, char *bytes, size_t size, uintptr_t id);

static asked_t *ask(op_done op, modex_done modex, void *data) {
	asked_t *a = malloc(sizeof *a);
	if (a)
		*a = (asked_t){op, modex, data};
	return a;
}
static int connected(const proc_t *proc, void *object, op_done done, void *data) { return DONE; }
static int finalized(const proc_t *proc, void *object, op_done done, void *data) { return DONE; }
static int events_on(int *codes, size_t n, const info_t *info, size_t infos, op_done done, void *data) { return DONE; }
static int events_off(int *codes, size_t n, op_done done, void *data) { return DONE; }
static int aborted(const proc_t *proc, void *object, int status, const char *words, proc_t *procs, size_t n, op_done done, void *data) {
	asked_t *a = ask(done, NULL, data);
	if (!a)
		return FAILED;
	onAbort(proc->rank, status, (char *)words, a);
	return SUCCESS;
}
static int fence(const proc_t *procs, size_t n, const info_t *info, size_t infos, char *bytes, size_t size, modex_done done, void *data) {
	asked_t *a = ask(NULL, done, data);
	int status = a ? onFence((void *)procs, n, bytes, size, a) : FAILED;
	if (status != SUCCESS)
		free(a);
	return status;
}
static int modex(const proc_t *proc, const info_t *info, size_t infos, modex_done done, void *data) {
	asked_t *a = ask(NULL, done, data);
	int status = a ? onModex((char *)proc->nspace, proc->rank, a) : FAILED;
	if (status != SUCCESS)
		free(a);
	return status;
}
static void answered(int status, char *bytes, size_t size, void *data) { onAnswer(status, bytes, size, (uintptr_t)data); }

static void reply_op(asked_t *a, int status) {
	if (a->op)
		a->op(status, a->data);
	free(a);
}
static void reply_modex(asked_t *a, int status, void *bytes, size_t size) { // and bytes is the library's, which frees it
	a->modex(status, bytes, size, a->data, free, bytes);
	free(a);
}

// load finds the library and what is called in it; NULL, or why it cannot be had.
static const char *load(void) {
	void *so = dlopen("libpmix.so.2", RTLD_NOW | RTLD_GLOBAL);
	if (!so)
		return dlerror();
	struct { const char *name; void **at; } list[] = {
		{"PMIx_server_init", (void **)&lib.init}, {"PMIx_server_finalize", (void **)&lib.finalize},
		{"PMIx_server_register_nspace", (void **)&lib.register_nspace}, {"PMIx_server_register_client", (void **)&lib.register_client},
		{"PMIx_server_setup_fork", (void **)&lib.setup_fork}, {"PMIx_server_dmodex_request", (void **)&lib.dmodex_request},
		{"PMIx_generate_regex", (void **)&lib.generate_regex}, {"PMIx_generate_ppn", (void **)&lib.generate_ppn},
		{"PMIx_Error_string", (void **)&lib.error_string}, {"PMIx_Get_version", (void **)&lib.version},
	};
	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (!(*list[i].at = dlsym(so, list[i].name)))
			return dlerror();
	return NULL;
}
static int begin(info_t *info, size_t n) {
	static void *module[AT_ALL];
	module[AT_CONNECTED] = connected;
	module[AT_FINALIZED] = finalized;
	module[AT_ABORT] = aborted;
	module[AT_FENCE] = fence;
	module[AT_DMODEX] = modex;
	module[AT_REGISTER_EVENTS] = events_on;
	module[AT_DEREGISTER_EVENTS] = events_off;
	return lib.init(module, info, n);
}
static int finalize(void) { return lib.finalize(); }
static int register_space(const char *space, int local, info_t *info, size_t n) { return lib.register_nspace(space, local, info, n, NULL, NULL); }
static proc_t proc(const char *space, uint32_t rank) {
	proc_t p = {{0}, rank};
	strncpy(p.nspace, space, sizeof p.nspace - 1);
	return p;
}
static int register_task(const char *space, uint32_t rank, uid_t uid, gid_t gid) {
	proc_t p = proc(space, rank);
	return lib.register_client(&p, uid, gid, NULL, NULL, NULL);
}
static int task_env(const char *space, uint32_t rank, char ***env) {
	proc_t p = proc(space, rank);
	return lib.setup_fork(&p, env);
}
static int request(const char *space, uint32_t rank, uintptr_t id) {
	proc_t p = proc(space, rank);
	return lib.dmodex_request(&p, answered, (void *)id);
}
static int regex(const char *names, char **out) { return lib.generate_regex(names, out); }
static int ppn(const char *ranks, char **out) { return lib.generate_ppn(ranks, out); }
static const char *words(int status) { return lib.error_string(status); }
static const char *version(void) { return lib.version(); }

static info_t *infos(size_t n) { return calloc(n, sizeof(info_t)); }
static info_t *named(info_t *list, size_t at, const char *key, uint16_t type) {
	strncpy(list[at].key, key, sizeof list[at].key - 1);
	list[at].value.type = type;
	return &list[at];
}
static void set_text(info_t *list, size_t at, const char *key, char *text) { named(list, at, key, TYPE_STRING)->value.data.string = text; }
static void set_number(info_t *list, size_t at, const char *key, uint32_t n) { named(list, at, key, TYPE_UINT32)->value.data.u32 = n; }
static void set_short(info_t *list, size_t at, const char *key, uint16_t n) { named(list, at, key, TYPE_UINT16)->value.data.u16 = n; }
static void set_rank(info_t *list, size_t at, const char *key, uint32_t n) { named(list, at, key, TYPE_RANK)->value.data.u32 = n; }
static void set_list(info_t *list, size_t at, const char *key, info_t *of, size_t n) {
	array_t *a = malloc(sizeof *a);
	if (a) {
		*a = (array_t){TYPE_INFO, n, of};
		named(list, at, key, TYPE_ARRAY)->value.data.array = a;
	}
}
static uint32_t rank_at(void *list, size_t i) { return ((proc_t *)list)[i].rank; }
static const char *space_at(void *list, size_t i) { return ((proc_t *)list)[i].nspace; }
*/
import "C"

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/runink/rink/api/rinkpb"
)

// libpmix is the library, of which a process has one: it keeps its state in itself.
type libpmix struct{}

// current is the host that the library's calls go to.
var current struct {
	mu   sync.Mutex
	host *host
}

func hostNow() *host {
	current.mu.Lock()
	defer current.mu.Unlock()
	return current.host
}

// load finds libpmix.so.2.
func load() (library, error) {
	if why := C.load(); why != nil {
		return nil, fmt.Errorf("cannot load libpmix.so.2: %s", C.GoString(why))
	}
	return libpmix{}, nil
}

// infoList is an array of pmix_info_t. What is put into it stays for as long as the
// process: the library may refer to it.
type infoList struct {
	c *C.info_t
	n int
}

func newInfos(size int) *infoList { return &infoList{c: C.infos(C.size_t(size))} }

func (l *infoList) next(key string) (C.size_t, *C.char) {
	l.n++
	return C.size_t(l.n - 1), C.CString(key)
}

func (l *infoList) text(key, value string) {
	at, k := l.next(key)
	C.set_text(l.c, at, k, C.CString(value))
}

func (l *infoList) number(key string, n int) {
	at, k := l.next(key)
	C.set_number(l.c, at, k, C.uint32_t(n))
}

func (l *infoList) short(key string, n int) {
	at, k := l.next(key)
	C.set_short(l.c, at, k, C.uint16_t(n))
}

func (l *infoList) rank(key string, n int) {
	at, k := l.next(key)
	C.set_rank(l.c, at, k, C.uint32_t(n))
}

func (l *infoList) list(key string, of *infoList) {
	at, k := l.next(key)
	C.set_list(l.c, at, k, of.c, C.size_t(of.n))
}

// check turns a status into an error; what has been done at once is well.
func check(what string, status C.int) error {
	if status == C.SUCCESS || status == C.DONE {
		return nil
	}
	return fmt.Errorf("%s: %s", what, C.GoString(C.words(status)))
}

func (libpmix) begin(h *host, s *rinkpb.PmixStep) ([]*rinkpb.PmixTask, error) {
	current.mu.Lock()
	current.host = h
	current.mu.Unlock()
	own := newInfos(5)
	own.text("pmix.srvr.tmpdir", s.Dir)
	own.text("pmix.sys.tmpdir", s.Tmp)
	own.text("pmix.hname", s.Nodes[s.Node])
	own.text("pmix.srv.nspace", s.Space+".server")
	own.rank("pmix.srv.rank", int(s.Node))
	if err := check("PMIx_server_init", C.begin(own.c, C.size_t(own.n))); err != nil {
		return nil, err
	}
	on := make([][]string, len(s.Nodes)) // of each node, its ranks
	for rank, node := range s.RankNodes {
		on[node] = append(on[node], strconv.Itoa(rank))
	}
	lists := make([]string, len(on))
	for i, ranks := range on {
		lists[i] = strings.Join(ranks, ",")
	}
	nodes, err := generated("PMIx_generate_regex", strings.Join(s.Nodes, ","), func(in *C.char, out **C.char) C.int { return C.regex(in, out) })
	if err != nil {
		return nil, err
	}
	procs, err := generated("PMIx_generate_ppn", strings.Join(lists, ";"), func(in *C.char, out **C.char) C.int { return C.ppn(in, out) })
	if err != nil {
		return nil, err
	}
	local := on[s.Node]
	if len(local) == 0 {
		return nil, errors.New("no task of the step is here")
	}
	first, _ := strconv.Atoi(local[0])
	all := newInfos(len(s.RankNodes) + 20)
	at, k := all.next("pmix.nmap")
	C.set_text(all.c, at, k, nodes)
	at, k = all.next("pmix.pmap")
	C.set_text(all.c, at, k, procs)
	all.text("pmix.jobid", s.Space)
	for _, key := range []string{"pmix.univ.size", "pmix.job.size", "pmix.max.size", "pmix.app.size"} {
		all.number(key, len(s.RankNodes))
	}
	all.number("pmix.job.napps", 1)
	all.number("pmix.num.nodes", len(s.Nodes))
	all.number("pmix.local.size", len(local))
	all.number("pmix.node.size", len(local))
	all.text("pmix.nlist", strings.Join(s.Nodes, ","))
	all.text("pmix.lpeers", strings.Join(local, ","))
	all.rank("pmix.lldr", first)
	all.number("pmix.nodeid", int(s.Node))
	all.text("pmix.hname", s.Nodes[s.Node])
	all.rank("pmix.offset", 0)
	all.text("pmix.tmpdir", s.Dir)
	all.text("pmix.nsdir", s.Dir)
	seen := make([]int, len(s.Nodes))
	for rank, node := range s.RankNodes {
		one := newInfos(10)
		one.rank("pmix.rank", rank)
		one.number("pmix.appnum", 0)
		one.rank("pmix.aldr", 0)
		one.rank("pmix.grank", rank)
		one.rank("pmix.apprank", rank)
		one.short("pmix.lrank", seen[node])
		one.short("pmix.nrank", seen[node])
		one.number("pmix.nodeid", int(node))
		one.text("pmix.hname", s.Nodes[node])
		all.list("pmix.pdata", one)
		seen[node]++
	}
	space := C.CString(s.Space)
	if err := check("PMIx_server_register_nspace", C.register_space(space, C.int(len(local)), all.c, C.size_t(all.n))); err != nil {
		return nil, err
	}
	var tasks []*rinkpb.PmixTask
	for rank, node := range s.RankNodes {
		if node != s.Node {
			continue
		}
		if err := check("PMIx_server_register_client", C.register_task(space, C.uint32_t(rank), C.uid_t(s.Uid), C.gid_t(s.Gid))); err != nil {
			return nil, err
		}
		env := (**C.char)(C.calloc(1, C.size_t(unsafe.Sizeof((*C.char)(nil)))))
		if err := check("PMIx_server_setup_fork", C.task_env(space, C.uint32_t(rank), &env)); err != nil {
			return nil, err
		}
		task := &rinkpb.PmixTask{Rank: uint32(rank)}
		for p := env; *p != nil; p = (**C.char)(unsafe.Add(unsafe.Pointer(p), unsafe.Sizeof(*p))) {
			task.Env = append(task.Env, C.GoString(*p))
		}
		tasks = append(tasks, task)
	}
	return tasks, nil
}

func generated(what, in string, call func(in *C.char, out **C.char) C.int) (*C.char, error) {
	var out *C.char
	if err := check(what, call(C.CString(in), &out)); err != nil {
		return nil, err
	}
	if strings.HasPrefix(C.GoString(out), "blob") { // of bytes, which is no string; the list itself is as good
		out = C.CString("raw:" + in)
	}
	return out, nil
}

func (libpmix) end() { C.finalize() }

func (libpmix) request(space string, rank uint32, id uint64) int32 {
	s := C.CString(space)
	defer C.free(unsafe.Pointer(s))
	return int32(C.request(s, C.uint32_t(rank), C.uintptr_t(id)))
}

// cAsked is what the library waits to be answered.
type cAsked struct{ c *C.asked_t }

func (a cAsked) op(status int32) { C.reply_op(a.c, C.int(status)) }

func (a cAsked) modex(status int32, data []byte) {
	C.reply_modex(a.c, C.int(status), C.CBytes(data), C.size_t(len(data)))
}

func newAsked(p unsafe.Pointer) asked { return cAsked{(*C.asked_t)(p)} }

// procsAt reads an array of pmix_proc_t.
func procsAt(list unsafe.Pointer, n int) []proc {
	out := make([]proc, n)
	for i := range out {
		out[i] = proc{C.GoString(C.space_at(list, C.size_t(i))), uint32(C.rank_at(list, C.size_t(i)))}
	}
	return out
}
