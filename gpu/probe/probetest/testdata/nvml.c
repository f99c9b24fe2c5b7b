/* A management library for tests: the calls of NVML that the agent makes, answered
 * from a description in the file that NVML_DESCRIPTION names. The file is read anew
 * whenever it has changed, so that a test can break a GPU while jobs run. Its lines:
 *
 *   driver 550.54.15 12040
 *   gpu N key=value...      uuid name minor pci memory numa cpus mig lost util used energy temp remapfailed uncorrected throttle,
 *                           fabric (32 hexadecimal digits) clique, and cut die stuck clocks: see change.c
 *   link A B N              N NVLinks between two GPUs
 *   path A B LEVEL          what they have in common, as nvmlGpuTopologyLevel_t has it
 *   instance GPU GI CI UUID PROFILE MEMORY
 *   process GPU PID MIB     or: process GPU PID MIB GI
 *   runs GPU PID PERCENT    how much of a GPU a process uses
 *   xid GPU CODE            an error, told once for each line of its kind that is new
 *
 * Blanks in names are written "_".
 */
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <nvml.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wmissing-braces"
#endif

enum { GPUS = 16, INSTANCES = 56, PROCESSES = 256, XIDS = 64 };

struct nvmlDevice_st {
	int known, index, minor, numa, mig, lost, util, temp, remap_failed;
	int cut, die, stuck, clocks, clique, made;
	unsigned memory_clock, graphics_clock; /* that were set; 0: none were */
	char uuid[96], name[96], pci[32], cpus[64], fabric[33];
	unsigned long long memory, used, energy, uncorrected, throttle;
	/* of an instance */
	nvmlDevice_t parent;
	int gi, ci;
	char profile[32];
};

struct process { int gpu, gi; unsigned pid; unsigned long long mib; };
struct sample { int gpu; unsigned pid, percent; };

static struct nvmlDevice_st gpus[GPUS], instances[INSTANCES];
static int n_gpus, n_instances, n_processes, n_xids, told_xids;
static int links[GPUS][GPUS], levels[GPUS][GPUS];
static struct process processes[PROCESSES];
static struct sample samples[PROCESSES];
static int n_samples;
static struct { int gpu; unsigned long long code; } xids[XIDS];
static char driver[64];
static int cuda;
static struct timespec stamp;
static off_t stamp_size;
static ino_t stamp_file; /* a description is replaced whole, by another file */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void word(char *to, size_t size, const char *value)
{
	snprintf(to, size, "%s", value);
	for (; *to; to++)
		if (*to == '_')
			*to = ' ';
}

static void gpu_line(char *rest)
{
	char *save = NULL, *part = strtok_r(rest, " \t\n", &save);
	int i = part ? atoi(part) : -1;
	if (i < 0 || i >= GPUS)
		return;
	struct nvmlDevice_st *g = &gpus[i];
	*g = (struct nvmlDevice_st){ .known = 1, .index = i, .minor = i, .numa = -1 };
	if (i >= n_gpus)
		n_gpus = i + 1;
	while ((part = strtok_r(NULL, " \t\n", &save))) {
		char *v = strchr(part, '=');
		if (!v)
			continue;
		*v++ = 0;
		if (!strcmp(part, "uuid")) snprintf(g->uuid, sizeof g->uuid, "%s", v);
		else if (!strcmp(part, "name")) word(g->name, sizeof g->name, v);
		else if (!strcmp(part, "pci")) snprintf(g->pci, sizeof g->pci, "%s", v);
		else if (!strcmp(part, "cpus")) snprintf(g->cpus, sizeof g->cpus, "%s", v);
		else if (!strcmp(part, "fabric")) snprintf(g->fabric, sizeof g->fabric, "%s", v);
		else if (!strcmp(part, "clique")) g->clique = atoi(v);
		else if (!strcmp(part, "cut")) g->cut = atoi(v);
		else if (!strcmp(part, "die")) g->die = atoi(v);
		else if (!strcmp(part, "stuck")) g->stuck = atoi(v);
		else if (!strcmp(part, "clocks")) g->clocks = atoi(v);
		else if (!strcmp(part, "minor")) g->minor = atoi(v);
		else if (!strcmp(part, "numa")) g->numa = atoi(v);
		else if (!strcmp(part, "mig")) g->mig = atoi(v);
		else if (!strcmp(part, "lost")) g->lost = atoi(v);
		else if (!strcmp(part, "util")) g->util = atoi(v);
		else if (!strcmp(part, "temp")) g->temp = atoi(v);
		else if (!strcmp(part, "remapfailed")) g->remap_failed = atoi(v);
		else if (!strcmp(part, "memory")) g->memory = strtoull(v, NULL, 10) << 20;
		else if (!strcmp(part, "used")) g->used = strtoull(v, NULL, 10) << 20;
		else if (!strcmp(part, "energy")) g->energy = strtoull(v, NULL, 10);
		else if (!strcmp(part, "uncorrected")) g->uncorrected = strtoull(v, NULL, 10);
		else if (!strcmp(part, "throttle")) g->throttle = strtoull(v, NULL, 0);
	}
}

static void restore(void);
static void show_made(void);

/* load reads the description when it has changed; lock is held. */
static int load(void)
{
	const char *path = getenv("NVML_DESCRIPTION");
	struct stat st;
	if (!path || stat(path, &st))
		return 0;
	if (st.st_mtim.tv_sec == stamp.tv_sec && st.st_mtim.tv_nsec == stamp.tv_nsec && st.st_size == stamp_size && st.st_ino == stamp_file)
		return 1;
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	stamp = st.st_mtim;
	stamp_size = st.st_size;
	stamp_file = st.st_ino;
	n_gpus = n_instances = n_processes = n_samples = n_xids = 0;
	memset(links, 0, sizeof links);
	for (int a = 0; a < GPUS; a++)
		for (int b = 0; b < GPUS; b++)
			levels[a][b] = NVML_TOPOLOGY_SYSTEM;
	char line[1024], uuid[96], profile[32];
	int a, b, c, n;
	while (fgets(line, sizeof line, f)) {
		unsigned long long big;
		unsigned pid;
		if (!strncmp(line, "gpu ", 4))
			gpu_line(line + 4);
		else if (sscanf(line, "driver %63s %d", driver, &cuda) == 2)
			;
		else if (sscanf(line, "link %d %d %d", &a, &b, &n) == 3 && a < GPUS && b < GPUS)
			links[a][b] = links[b][a] = n;
		else if (sscanf(line, "path %d %d %d", &a, &b, &n) == 3 && a < GPUS && b < GPUS)
			levels[a][b] = levels[b][a] = n;
		else if (sscanf(line, "instance %d %d %d %95s %31s %llu", &a, &b, &c, uuid, profile, &big) == 6 && a < GPUS && n_instances < INSTANCES) {
			struct nvmlDevice_st *m = &instances[n_instances++];
			*m = (struct nvmlDevice_st){ .known = 1, .index = n_instances, .minor = -1, .numa = -1, .parent = &gpus[a], .gi = b, .ci = c, .memory = big << 20 };
			snprintf(m->uuid, sizeof m->uuid, "%s", uuid);
			snprintf(m->profile, sizeof m->profile, "%s", profile);
		} else if ((n = sscanf(line, "process %d %u %llu %d", &a, &pid, &big, &b)) >= 3 && n_processes < PROCESSES)
			processes[n_processes++] = (struct process){ a, n == 4 ? b : -1, pid, big };
		else if (sscanf(line, "runs %d %u %d", &a, &pid, &b) == 3 && n_samples < PROCESSES)
			samples[n_samples++] = (struct sample){ a, pid, (unsigned)b };
		else if (sscanf(line, "xid %d %llu", &a, &big) == 2 && n_xids < XIDS) {
			xids[n_xids].gpu = a;
			xids[n_xids++].code = big;
		}
	}
	fclose(f);
	restore();
	show_made();
	return 1;
}

#define ENTER do { pthread_mutex_lock(&lock); if (!load()) { pthread_mutex_unlock(&lock); return NVML_ERROR_DRIVER_NOT_LOADED; } } while (0)
#define LEAVE(r) do { nvmlReturn_t r_ = (r); pthread_mutex_unlock(&lock); return r_; } while (0)
#define DEVICE(d) do { ENTER; if (!(d) || !(d)->known) LEAVE(NVML_ERROR_INVALID_ARGUMENT); if ((d)->lost) LEAVE(NVML_ERROR_GPU_IS_LOST); } while (0)
#define WHOLE(d) do { DEVICE(d); if ((d)->parent) LEAVE(NVML_ERROR_NOT_SUPPORTED); } while (0)

#include "change.c"

nvmlReturn_t nvmlInit_v2(void) { ENTER; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlShutdown(void) { return NVML_SUCCESS; }
const char *nvmlErrorString(nvmlReturn_t r)
{
	switch (r) {
	case NVML_SUCCESS: return "Success";
	case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
	case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
	case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
	default: return "Unknown Error";
	}
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *v, unsigned n) { ENTER; snprintf(v, n, "%s", driver); LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *v) { ENTER; *v = cuda; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *n) { ENTER; *n = n_gpus; LEAVE(NVML_SUCCESS); }

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned i, nvmlDevice_t *d)
{
	ENTER;
	if (i >= (unsigned)n_gpus || !gpus[i].known)
		LEAVE(NVML_ERROR_INVALID_ARGUMENT);
	if (gpus[i].lost)
		LEAVE(NVML_ERROR_GPU_IS_LOST);
	*d = &gpus[i];
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *d)
{
	ENTER;
	for (int i = 0; i < n_gpus; i++)
		if (gpus[i].known && !strcmp(gpus[i].uuid, uuid)) {
			if (gpus[i].lost)
				LEAVE(NVML_ERROR_GPU_IS_LOST);
			*d = &gpus[i];
			LEAVE(NVML_SUCCESS);
		}
	LEAVE(NVML_ERROR_NOT_FOUND);
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t d, unsigned *i) { ENTER; *i = d->index; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t d, char *v, unsigned n) { DEVICE(d); snprintf(v, n, "%s", d->uuid); LEAVE(NVML_SUCCESS); }

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t d, char *v, unsigned n)
{
	DEVICE(d);
	if (d->parent)
		snprintf(v, n, "%s MIG %s", d->parent->name, d->profile);
	else
		snprintf(v, n, "%s", d->name);
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t d, unsigned *v) { WHOLE(d); *v = d->minor; LEAVE(NVML_SUCCESS); }

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t d, nvmlMemory_t *m)
{
	DEVICE(d);
	m->total = d->memory;
	m->used = d->used;
	m->free = d->memory - d->used;
	LEAVE(NVML_SUCCESS);
}

static void pci_of(nvmlDevice_t d, nvmlPciInfo_t *p)
{
	memset(p, 0, sizeof *p);
	snprintf(p->busId, sizeof p->busId, "%s", d->pci);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t d, nvmlPciInfo_t *p) { WHOLE(d); pci_of(d, p); LEAVE(NVML_SUCCESS); }

nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t d, unsigned *v)
{
	WHOLE(d);
	if (d->numa < 0)
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	*v = d->numa;
	LEAVE(NVML_SUCCESS);
}

/* cpus are ranges separated by commas. */
nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t d, unsigned size, unsigned long *set)
{
	WHOLE(d);
	if (!d->cpus[0])
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	memset(set, 0, size * sizeof *set);
	char text[64], *save = NULL;
	snprintf(text, sizeof text, "%s", d->cpus);
	for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		unsigned from, to;
		if (sscanf(p, "%u-%u", &from, &to) != 2)
			from = to = (unsigned)atoi(p);
		for (; from <= to && from / 64 < size; from++)
			set[from / 64] |= 1UL << (from % 64);
	}
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t d, nvmlComputeMode_t *m) { WHOLE(d); *m = NVML_COMPUTEMODE_DEFAULT; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t d, unsigned *now, unsigned *next) { WHOLE(d); *now = *next = d->mig; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t d, unsigned *n) { WHOLE(d); *n = d->mig ? 7 : 0; LEAVE(NVML_SUCCESS); }

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t d, unsigned at, nvmlDevice_t *m)
{
	WHOLE(d);
	for (int i = 0; d->mig && i < n_instances; i++)
		if (instances[i].parent == d && at-- == 0) {
			*m = &instances[i];
			LEAVE(NVML_SUCCESS);
		}
	LEAVE(NVML_ERROR_NOT_FOUND);
}

nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t d, unsigned *v) { DEVICE(d); *v = d->gi; LEAVE(d->parent ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED); }
nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t d, unsigned *v) { DEVICE(d); *v = d->ci; LEAVE(d->parent ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED); }

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t d, nvmlDeviceAttributes_t *a)
{
	DEVICE(d);
	if (!d->parent)
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	memset(a, 0, sizeof *a);
	a->gpuInstanceSliceCount = a->computeInstanceSliceCount = (unsigned)atoi(d->profile);
	a->memorySizeMB = d->memory >> 20;
	LEAVE(NVML_SUCCESS);
}

/* The link numbers of a GPU are dealt out in the order of the others. */
static int far_end(nvmlDevice_t d, unsigned link)
{
	for (int i = 0; i < n_gpus; i++) {
		if (link < (unsigned)links[d->index][i])
			return i;
		link -= links[d->index][i];
	}
	return -1;
}

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t d, unsigned link, nvmlEnableState_t *s)
{
	WHOLE(d);
	if (far_end(d, link) < 0)
		LEAVE(NVML_ERROR_INVALID_ARGUMENT);
	*s = NVML_FEATURE_ENABLED;
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t d, unsigned link, nvmlIntNvLinkDeviceType_t *t)
{
	WHOLE(d);
	(void)link;
	*t = NVML_NVLINK_DEVICE_TYPE_GPU;
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t d, unsigned link, nvmlPciInfo_t *p)
{
	WHOLE(d);
	int other = far_end(d, link);
	if (other < 0)
		LEAVE(NVML_ERROR_INVALID_ARGUMENT);
	pci_of(&gpus[other], p);
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t a, nvmlDevice_t b, nvmlGpuTopologyLevel_t *l)
{
	WHOLE(a);
	*l = levels[a->index][b->index];
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t d, nvmlUtilization_t *u) { WHOLE(d); u->gpu = d->util; u->memory = 0; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t d, unsigned long long *e) { WHOLE(d); *e = d->energy; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t d, nvmlTemperatureSensors_t s, unsigned *t) { WHOLE(d); (void)s; *t = d->temp; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t d, unsigned *p) { WHOLE(d); *p = 50000 + 2500 * d->util; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t d, unsigned long long *r) { WHOLE(d); *r = d->throttle; LEAVE(NVML_SUCCESS); }

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t d, unsigned *corr, unsigned *unc, unsigned *pending, unsigned *failed)
{
	WHOLE(d);
	*corr = *unc = *pending = 0;
	*failed = d->remap_failed;
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t d, nvmlMemoryErrorType_t t, nvmlEccCounterType_t c, unsigned long long *n)
{
	WHOLE(d);
	(void)t, (void)c;
	*n = d->uncorrected;
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t d, unsigned *n, nvmlProcessInfo_t *list)
{
	WHOLE(d);
	unsigned room = *n, have = 0;
	for (int i = 0; i < n_processes; i++) {
		if (processes[i].gpu != d->index)
			continue;
		if (have < room) {
			memset(&list[have], 0, sizeof list[have]);
			list[have].pid = processes[i].pid;
			list[have].usedGpuMemory = processes[i].mib << 20;
			list[have].gpuInstanceId = list[have].computeInstanceId = (unsigned)processes[i].gi;
		}
		have++;
	}
	*n = have;
	LEAVE(have > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t d, nvmlProcessUtilizationSample_t *list, unsigned *n, unsigned long long since)
{
	WHOLE(d);
	(void)since;
	unsigned room = list ? *n : 0, have = 0;
	for (int i = 0; i < n_samples; i++) {
		if (samples[i].gpu != d->index)
			continue;
		if (have < room)
			list[have] = (nvmlProcessUtilizationSample_t){ .pid = samples[i].pid, .smUtil = samples[i].percent };
		have++;
	}
	*n = have;
	if (have == 0)
		LEAVE(NVML_ERROR_NOT_FOUND);
	LEAVE(have > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t d, unsigned *n, nvmlProcessInfo_t *list) { WHOLE(d); (void)list; *n = 0; LEAVE(NVML_SUCCESS); }

struct nvmlEventSet_st { int unused; };
static struct nvmlEventSet_st the_set;

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *s) { ENTER; *s = &the_set; LEAVE(NVML_SUCCESS); }
nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t s) { (void)s; return NVML_SUCCESS; }
nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t d, unsigned long long types, nvmlEventSet_t s) { WHOLE(d); (void)types, (void)s; LEAVE(NVML_SUCCESS); }

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t s, nvmlEventData_t *e, unsigned ms)
{
	(void)s;
	for (unsigned waited = 0;; waited += 20) {
		ENTER;
		if (told_xids < n_xids) {
			memset(e, 0, sizeof *e);
			e->device = &gpus[xids[told_xids].gpu % GPUS];
			e->eventType = nvmlEventTypeXidCriticalError;
			e->eventData = xids[told_xids++].code;
			LEAVE(NVML_SUCCESS);
		}
		pthread_mutex_unlock(&lock);
		if (waited >= ms)
			return NVML_ERROR_TIMEOUT;
		usleep(20000);
	}
}
