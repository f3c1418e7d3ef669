# SPDX-License-Identifier: GPL-2.0-or-later
#
# awk -v version=V -v package=P -f growth.awk verifier.stats - <verifier's lines
#
# Compares what the verifier program said of one kernel with the record of that
# version: prints what grew by more than a tenth, what is not on record and what is
# no more there, and a last line with the largest program and the record's verdict,
# PASS or FAIL.  Growth is a failure on the very kernel package that was recorded,
# and a note on another: a newer verifier may count otherwise.

function percent(was, is) { return was ? 100 * (is - was) / was : 100 }

function compare(what, was, is) {
	if (is <= was * 1.1)
		return
	printf "%s %s: %s %d -> %d (%+.1f %%)\n", same ? "grew" : "note: grew", key, what, was, is,
		percent(was, is)
	grown++
}

BEGIN { LIMIT = 1000000 }

# The record: VERSION PACKAGE PROGRAM PYTHON METRIC INSNS VERIFIED XLATED JITED
FILENAME != "-" {
	if (/^#/ || NF != 9 || $1 != version)
		next
	recorded = $2
	verified[$3 " " $4 " " $5] = $7
	xlated[$3 " " $4 " " $5] = $8
	next
}

# The lines of now: PROGRAM PYTHON METRIC INSNS VERIFIED XLATED JITED
NF == 7 && $5 ~ /^[0-9]+$/ {
	same = recorded == package
	key = $1 " " $2 " " $3
	seen[key] = 1
	total += $6
	if ($5 > most) {
		most = $5
		largest = key
	}
	if (!(key in verified)) {
		if (recorded != "")
			print "not on record: " key
		missing++
		next
	}
	compare("verified", verified[key], $5)
	compare("xlated", xlated[key], $6)
}

END {
	same = recorded == package
	for (key in verified)
		if (!(key in seen)) {
			print "on record, but not loaded: " key
			missing++
		}
	if (recorded == "")
		against = "no record of this version"
	else if (same)
		against = sprintf("%d grew by more than 10 %%, %d without a counterpart", grown, missing)
	else
		against = sprintf("recorded on %s, this is %s: %d grew by more than 10 %%, %d without " \
			"a counterpart", recorded, package, grown, missing)
	printf "%s growth: %d of %d instructions verified at most (%s), %d bytes xlated; %s\n",
		!most || recorded == "" || missing || (grown && same) ? "FAIL" : "PASS",
		most, LIMIT, largest, total, against
}
