package sbcast

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/submit"
)

// sendLibraries sends what the program needs to a directory beside it.
func (s *sender) sendLibraries() int {
	list, err := libraries(s.o.source)
	if err != nil {
		s.env.Errorf("Cannot autodetect libraries for '%s' with ldd command; still sending the file but ignoring send_libs", s.o.source)
		return 0
	}
	exclude, err := s.exclusions()
	if err != nil {
		s.env.Errorf("%s", cli.Reason(err))
		return failure
	}
	dir := s.o.dest + "_libs"
	f := s.file(dir)
	f.Directory = true
	if code := s.transfer(f, nil); code != 0 {
		return code
	}
	for _, lib := range list {
		if excluded(lib, exclude) {
			s.tell("skipping excluded library %s", lib)
			continue
		}
		src, info, code := s.open(lib)
		if code != 0 {
			return code
		}
		s.tell("sending library %s", lib)
		code = s.send(src, info, filepath.Join(dir, filepath.Base(lib)))
		src.Close()
		if code != 0 {
			return code
		}
	}
	return 0
}

// exclusions is where libraries lie that are not sent: what --exclude says, or the
// configuration.
func (s *sender) exclusions() (string, error) {
	if s.o.hasExclude {
		return s.o.exclude, nil
	}
	if s.libs == "" {
		if err := s.connect(); err != nil {
			return "", err
		}
		conf, _, err := submit.Cluster(s.env, s.client)
		if err != nil {
			return "", err
		}
		s.libs = conf.Conf.BcastExclude
	}
	return s.libs, nil
}

// libraries lists the files a program is linked to, as the system's own loader
// finds them.
func libraries(program string) ([]string, error) {
	path, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("ldd", path).Output()
	if err != nil {
		return nil, err
	}
	return fromLdd(string(out))
}

// fromLdd reads what ldd prints: NAME => PATH (ADDRESS), a line each. The loader
// itself and what the kernel brings have no such line.
func fromLdd(out string) ([]string, error) {
	var list []string
	for line := range strings.Lines(out) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if !ok {
			continue
		}
		path, _, _ := strings.Cut(rest, " (")
		if !filepath.IsAbs(path) {
			return nil, errors.New("ldd does not find " + name)
		}
		list = append(list, path)
	}
	return list, nil
}

// excluded reports whether a library lies in one of the directories of a list;
// "none" leaves out nothing.
func excluded(lib, list string) bool {
	if strings.EqualFold(list, "none") {
		return false
	}
	for _, dir := range strings.Split(list, ",") {
		if dir = strings.TrimRight(strings.TrimSpace(dir), "/"); dir != "" && (lib == dir || strings.HasPrefix(lib, dir+"/")) {
			return true
		}
	}
	return false
}
