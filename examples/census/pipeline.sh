#!/bin/bash
# A census of the Go source tree: how many lines, functions, tests and imports each package has.
#
#   rbatch pipeline.sh      as a run of three stages: split, then an array of eight counts, then join
#   bash pipeline.sh        without a cluster: the same work, one stage after the other
#
# Reads the Go installation's src (or $CENSUS_SRC); writes into ./census-out (or $CENSUS_OUT), which holds
# packages.csv, imports.csv and packages.svg in the end. The report goes to the join stage's output.
#RINK --time=5

set -eu -o pipefail
export LC_ALL=C
shares=8
out=${CENSUS_OUT:-census-out}
case $out in /*) ;; *) out=$PWD/$out ;; esac

# go_root: where the Go installation is, by the environment, by the go on PATH, or in the usual places.
go_root() {
	local dir go
	if go=$(command -v go); then dir=$(GOTOOLCHAIN=local "$go" env GOROOT 2>/dev/null) || dir=; fi
	for dir in "${GOROOT:-}" "${dir:-}" /usr/local/go /usr/lib/go /usr/lib/go-[0-9]* /usr/lib/golang "${HOME:-/}/go/go"; do
		if [ -d "$dir/src/runtime" ]; then echo "$dir"; return; fi
	done
	echo "cannot find a Go installation: set GOROOT, or CENSUS_SRC to a directory of Go files" >&2
	return 1
}

# go_files: the Go files below the source directory, one a line, in a fixed order.
go_files() { (cd "$src" && find . -type f -name '*.go' | sort); }

# total PATTERN [FIND_OPTIONS]: how many lines of the tree's Go files match, counted by grep alone.
total() {
	local pattern=$1; shift
	(cd "$src" && find . -type f -name '*.go' "$@" -print0 | { xargs -0 -r grep -a -h -c -E -e "$pattern" /dev/null || :; }) |
		awk '{ n += $1 } END { print n + 0 }'
}

if [ -n "${CENSUS_SRC:-}" ]; then src=$CENSUS_SRC; else src=$(go_root)/src; fi
src=$(cd "$src" && pwd)

#RINK stage split --output=census-split.out

mkdir -p "$out"
rm -f "$out"/{files,share-*,count-*,packages.*,imports.*}
go_files >"$out/files"
n=$(wc -l <"$out/files")
[ "$n" -gt 0 ] || { echo "no Go files below $src" >&2; exit 1; }
# Every eighth file goes to the same share, so that large packages are spread over all of them.
for ((i = 0; i < shares; i++)); do
	awk -v i="$i" -v n="$shares" 'NR % n == i' "$out/files" >"$out/share-$i"
done
echo "$n Go files below $src in $shares shares"

#RINK stage count --needs=split --array=0-7 --output=census-count-%a.out

# One row a package and kind, counted by awk:
#   P package files lines functions tests test-lines
#   I package imported
for i in ${SLURM_ARRAY_TASK_ID:-$(seq 0 $((shares - 1)))}; do
	(cd "$src" && tr '\n' '\0' <"$out/share-$i" | xargs -0 -r awk '
		function package_of(file) { sub(/\/[^\/]*$/, "", file); sub(/^\.\//, "", file); return file }
		BEGIN { for (i = 1; i < ARGC; i++) files[package_of(ARGV[i])]++ } # an empty file has no line to be seen by
		FNR == 1 {
			package = package_of(FILENAME)
			is_test = FILENAME ~ /_test\.go$/
			declared = in_imports = in_comment = 0
		}
		{ lines[package]++; if (is_test) test_lines[package]++ }
		/^func[ (]/ {
			functions[package]++
			if (is_test && /^func (Test|Benchmark|Example|Fuzz)([^a-z(][^(]*)?\(/) tests[package]++
		}
		declared { next }
		# Imports stand before all other declarations; what looks like one later is text.
		in_comment { if (/\*\//) in_comment = 0; next }
		/^[ \t]*\/\*/ { if (!/\*\//) in_comment = 1; next }
		/^(func|type|var|const)[ \t(]/ { declared = 1; next }
		/^import[ \t]*\(/ { in_imports = 1; if (/\)/) in_imports = 0; next }
		in_imports && /^[ \t]*\)/ { in_imports = 0; next }
		in_imports || /^import[ \t]/ {
			gsub(/\/\*[^*]*\*\//, "")
			sub(/\/\/.*/, "")
			if (match($0, /["`][^"` \t]+["`]/)) imports[package "\t" substr($0, RSTART + 1, RLENGTH - 2)] = 1
		}
		END {
			for (p in files) printf "P\t%s\t%d\t%d\t%d\t%d\t%d\n", p, files[p], lines[p], functions[p], tests[p], test_lines[p]
			for (pair in imports) printf "I\t%s\n", pair
		}') >"$out/count-$i.part"
	mv "$out/count-$i.part" "$out/count-$i"
	echo "share $i: $(wc -l <"$out/share-$i") files, $(grep -c '^P' "$out/count-$i" || :) packages"
done

#RINK stage join --needs=count --output=census-report.txt

counts=()
for ((i = 0; i < shares; i++)); do
	[ -e "$out/count-$i" ] || { echo "share $i was not counted: no $out/count-$i" >&2; exit 1; }
	counts+=("$out/count-$i")
done

# packages.csv, the largest package first.
awk -F'\t' -v OFS='\t' '
	$1 == "P" { files[$2] += $3; lines[$2] += $4; functions[$2] += $5; tests[$2] += $6; test_lines[$2] += $7 }
	$1 == "I" && !seen[$2, $3]++ { imports[$2]++ }
	END { for (p in files) print p, files[p], lines[p], functions[p], tests[p], imports[p] + 0, test_lines[p] }' "${counts[@]}" |
	sort -t $'\t' -k3,3nr -k1,1 >"$out/packages.tsv"
# imports.csv, the most imported package first.
awk -F'\t' -v OFS='\t' '
	$1 == "I" && !seen[$2, $3]++ { packages[$3]++ }
	END { for (p in packages) print p, packages[p] }' "${counts[@]}" |
	sort -t $'\t' -k2,2nr -k1,1 >"$out/imports.tsv"

# csv HEADER: tab separated rows as CSV.
csv() {
	awk -F'\t' -v header="$1" 'BEGIN { print header }
		{ for (i = 1; i <= NF; i++) { f = $i; if (f ~ /[",]/) { gsub(/"/, "\"\"", f); f = "\"" f "\"" } printf "%s%s", f, i < NF ? "," : "\n" } }'
}
csv package,files,lines,functions,tests,imports,test_lines <"$out/packages.tsv" >"$out/packages.csv"
csv package,importing_packages <"$out/imports.tsv" >"$out/imports.csv"

# The totals, against those that find and grep come to on the whole tree.
check() {
	if [ "$2" = "$3" ]; then printf '  %-10s %9d   agrees\n' "$1" "$2"; else
		printf '  %-10s %9d   but a second count says %d\n' "$1" "$2" "$3"; wrong=1
	fi
}
read -r packages files lines functions tests <<<"$(awk -F'\t' '
	{ f += $2; l += $3; u += $4; t += $5 } END { print NR, f + 0, l + 0, u + 0, t + 0 }' "$out/packages.tsv")"
wrong=0
echo "Go files below $src"
check packages "$packages" "$(go_files | sed 's,/[^/]*$,,' | sort -u | wc -l)"
check files "$files" "$(go_files | wc -l)"
check lines "$lines" "$(total '')"
check functions "$functions" "$(total '^func[ (]')"
check tests "$tests" "$(total '^func (Test|Benchmark|Example|Fuzz)([^a-z(][^(]*)?\(' -name '*_test.go')"
[ "$wrong" = 0 ] || { echo "the shares do not add up to the whole" >&2; exit 1; }

echo
echo "The twenty largest packages"
awk -F'\t' 'BEGIN { printf "  %-42s %6s %8s %10s %6s %8s\n", "PACKAGE", "FILES", "LINES", "FUNCTIONS", "TESTS", "IMPORTS" }
	NR <= 20 { printf "  %-42s %6d %8d %10d %6d %8d\n", $1, $2, $3, $4, $5, $6 }' "$out/packages.tsv"
echo
echo "The most imported"
awk -F'\t' 'NR <= 15 { printf "  %-42s by %d packages\n", $1, $2 }' "$out/imports.tsv"

# packages.svg: a bar a package, its tests' lines in the lighter part.
awk -F'\t' -v src="$src" -v total="$lines" '
	function escape(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
	function thousands(n, s) { s = n ""; while (match(s, /[0-9][0-9][0-9][0-9]($|,)/)) s = substr(s, 1, RSTART) "," substr(s, RSTART + 1); return s }
	NR <= 20 { name[NR] = $1; lines[NR] = $3; tests[NR] = $7; n = NR }
	END {
		left = 315; width = 560; row = 24; top = 84
		max = lines[1] > 0 ? lines[1] : 1
		printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"13\">\n", left + width + 90, top + n * row + 20
		print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
		printf "<text x=\"20\" y=\"30\" font-size=\"18\" font-weight=\"bold\">The largest Go packages, by lines</text>\n"
		printf "<text x=\"20\" y=\"52\" fill=\"#555\">%s: %s lines in all</text>\n", escape(src), thousands(total)
		printf "<rect x=\"%d\" y=\"62\" width=\"12\" height=\"12\" fill=\"#2b6ca3\"/><text x=\"%d\" y=\"73\">code</text>\n", left, left + 18
		printf "<rect x=\"%d\" y=\"62\" width=\"12\" height=\"12\" fill=\"#9cc3e0\"/><text x=\"%d\" y=\"73\">tests</text>\n", left + 70, left + 88
		for (i = 1; i <= n; i++) {
			y = top + (i - 1) * row
			code = (lines[i] - tests[i]) * width / max
			test = tests[i] * width / max
			printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 8, y + 15, escape(name[i])
			printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"#2b6ca3\"/>\n", left, y + 2, code, row - 6
			printf "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"#9cc3e0\"/>\n", left + code, y + 2, test, row - 6
			printf "<text x=\"%.1f\" y=\"%d\" fill=\"#333\">%s</text>\n", left + code + test + 6, y + 15, thousands(lines[i])
		}
		print "</svg>"
	}' "$out/packages.tsv" >"$out/packages.svg"
rm -f "$out/packages.tsv" "$out/imports.tsv"
echo
echo "Written: $out/packages.csv, imports.csv, packages.svg"
