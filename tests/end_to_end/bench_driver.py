"""What bench/compare.py computes, without anything that is measured. python3 bench_driver.py SOURCE_DIR"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
SOURCE = os.path.abspath(sys.argv.pop(1))
sys.path.insert(0, os.path.join(SOURCE, "bench"))

from comparison import ceilings, contestants, environment, machine, report, turns  # noqa: E402
from comparison.chart import chart  # noqa: E402
from comparison.error import BenchError  # noqa: E402


def setting(**changes):
    fields = dict(source="/tree", binaries="/bin", python="/venv/python", folder="/out", threads=2, has_bf16=True)
    return contestants.Setting(**{**fields, **changes})


def two_cores(**changes):
    fields = dict(processor="P", kind="amx", cores=[0, 1], memory_gib=24.0, has_bf16=True)
    return machine.Machine(**{**fields, **changes})


def record(key, side, rates, work="f32", batch=16, **fields):
    taken = [{"round": index, "seconds": [batch / rate] * 3, "foreign_cores": 0.02, "attempts": 1, "disturbed": False}
             for index, rate in enumerate(rates)]
    base = dict(key=key, stage="training", work=work, side=side, label=work, batch=batch, ceiling=[], turns=taken, failure=None,
                about={})
    return {**base, **fields}


def results(records, aims=(), **fields):
    base = {
        "date": "2000-01-01", "quick": False, "interrupted": False, "rounds": 3, "versions": {"qfw": "1"}, "aims": list(aims),
        "machine": {"processor": "P & Q", "kind": "avx2", "threads": 2, "memory_gib": 24.0},
        "ceilings": {"memory": {"read": 20.0, "triad": 30.0}, "convolutions": {"16": {"f32": 400.0, "f32.bd": 600.0}}},
        "contestants": records,
    }
    return {**base, **fields}


class Machine(unittest.TestCase):
    def test_one_processor_of_each_core(self):
        self.assertEqual(machine.one_cpu_per_core({0, 1, 2, 3}, {0: [0, 2], 1: [1, 3], 2: [0, 2], 3: [1, 3]}), [0, 1])
        self.assertEqual(machine.one_cpu_per_core({2, 3}, {2: [0, 2], 3: [1, 3]}), [2, 3])
        self.assertEqual(machine.one_cpu_per_core({5}, {5: []}), [5])

    def test_list_of_cpus(self):
        self.assertEqual(machine.list_of_cpus("0-2,8\n"), [0, 1, 2, 8])
        self.assertEqual(machine.list_of_cpus(""), [])

    def test_kinds(self):
        self.assertEqual(machine.kind_of({"avx2", "avx512f", "avx512_vnni", "avx512_bf16"}, "x86_64"), "avx512-vnni-bf16")
        self.assertEqual(machine.kind_of({"avx2", "avx512f"}, "x86_64"), "avx512")
        self.assertEqual(machine.kind_of({"avx2"}, "x86_64"), "avx2")
        self.assertEqual(machine.kind_of(set(), "aarch64"), "aarch64")

    def test_processor_is_the_first(self):
        fields = machine.processor_fields("model name\t: One\nflags\t\t: a b\n\nmodel name\t: Two\n")
        self.assertEqual(fields, {"model name": "One", "flags": "a b"})

    def test_busy_is_everything_but_idle_and_waiting_and_counts_stolen_time(self):
        stat = "cpu 9 9 9 9 9 9 9 9 0 0\ncpu0 100 20 30 5000 700 4 6 40 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\n"
        self.assertEqual(machine.busy_seconds(stat, [0]), 200 / machine.TICKS_PER_SECOND)
        self.assertEqual(machine.busy_seconds(stat, [0, 1]), 206 / machine.TICKS_PER_SECOND)
        self.assertIsNone(machine.busy_seconds(stat, [2]))

    def test_processor_time_of_a_process_with_a_strange_name(self):
        stat = "12 (a ) b) R " + " ".join(["0"] * 10) + " 100 50 30 20 0 0"
        self.assertEqual(machine.process_seconds(stat), 200 / machine.TICKS_PER_SECOND)
        self.assertEqual(machine.process_seconds(""), 0)

    def test_the_callers_openmp_settings_are_dropped(self):
        made = machine.peer_environment(two_cores(), {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "1", "PATH": "/bin"})
        self.assertNotIn("OMP_WAIT_POLICY", made)
        self.assertNotIn("GOMP_SPINCOUNT", made)
        self.assertEqual((made["PATH"], made["OMP_NUM_THREADS"]), ("/bin", "2"))

    def test_a_cap_is_told_to_every_contestant_and_is_a_kind_of_its_own(self):
        capped = machine.capped(two_cores(), "avx2", {"avx2", "fma", "avx512f"})
        self.assertEqual((capped.kind, capped.has_bf16), ("avx2-capped", False))
        made = machine.child_environment(capped, {"ONEDNN_MAX_CPU_ISA": "SSE41"})
        self.assertEqual((made["ONEDNN_MAX_CPU_ISA"], made["ATEN_CPU_CAPABILITY"]), ("AVX2", "avx2"))
        self.assertNotIn("ONEDNN_MAX_CPU_ISA", machine.child_environment(two_cores(), {"ONEDNN_MAX_CPU_ISA": "SSE41"}))
        with self.assertRaisesRegex(BenchError, "has no avx512_bf16, avx512_vnni"):
            machine.capped(two_cores(), "avx512-vnni-bf16", machine.AVX512)

    def test_available_memory(self):
        self.assertEqual(machine.available_gib("MemTotal: 9 kB\nMemAvailable:  3145728 kB\n"), 3)
        self.assertEqual(machine.available_gib(""), float("inf"))

    def test_foreign_cores(self):
        self.assertEqual(turns.foreign_cores(3.0, 2.0, 2.0), 0.5)
        self.assertEqual(turns.foreign_cores(2.0, 2.1, 2.0), 0.0)


class Contestants(unittest.TestCase):
    def test_keys_differ_and_aims_name_contestants(self):
        for chosen in (setting(), setting(quick=True), setting(has_bf16=False)):
            keys = [one.key for one in contestants.all_contestants(chosen)]
            self.assertEqual(len(keys), len(set(keys)))
            for aim in contestants.aims_for(chosen):
                self.assertLessEqual({aim.faster, *aim.others}, set(keys), aim.text)

    def test_what_is_not_integer_is_bf16_only_where_the_processor_has_it(self):
        def backward(has_bf16):
            return {one.key: one for one in contestants.all_contestants(setting(has_bf16=has_bf16))}["qfw.train.w8a8"]

        self.assertIn("--backend.compute=bf16", backward(True).command)
        self.assertIn("--backend.compute=f32", backward(False).command)
        self.assertEqual(backward(False).ceiling, ("w8a8", "f32.bd", "f32.bw"))

    def test_aims_compare_what_takes_turns_with_each_other(self):
        stages = {one.key: one.stage for one in contestants.all_contestants(setting())}
        for aim in contestants.aims_for(setting()):
            self.assertEqual({stages[key] for key in aim.others}, {stages[aim.faster]}, aim.text)

    def test_columns_of_a_batch(self):
        every = contestants.all_contestants(setting())
        self.assertEqual(ceilings.columns_of(every, 1), ["bf16", "f32", "f32.w", "w8a8"])
        self.assertIn("bf16.bw", ceilings.columns_of(every, 16))

    def test_recipes_are_there(self):
        for one in contestants.all_contestants(setting(source=SOURCE)):
            for word in one.command:
                if word.endswith((".ini", ".py")):
                    self.assertTrue(os.path.exists(word), word)

    def test_without_compilation(self):
        keys = [one.key for one in contestants.all_contestants(setting(compiled=False))]
        self.assertFalse([key for key in keys if "compiled" in key])


class Ceilings(unittest.TestCase):
    OUTPUT = """oneDNN; 2 threads, batch 1; GFLOP/s
channels kernel size              f32     f32.bd
3->64 7x7/2 @224 x1                15          -
network, ms                       562        786
network, GFLOP/s                   15         10
"""

    def test_network_milliseconds(self):
        self.assertEqual(ceilings.network_milliseconds(self.OUTPUT), {"f32": 562.0, "f32.bd": 786.0})

    def test_other_output_is_an_error(self):
        with self.assertRaisesRegex(BenchError, "network, ms"):
            ceilings.network_milliseconds("nothing")

    def test_a_program_that_is_missing(self):
        with self.assertRaisesRegex(BenchError, "no_such_program failed.*make bench"):
            ceilings.output_of(("/no_such_program",), {})


class Numbers(unittest.TestCase):
    def test_a_turn_counts_with_the_median_of_its_steps(self):
        one = record("a", "qfw", [])
        one["turns"] = [{"round": 0, "seconds": [1.0, 2.0, 100.0]}, {"round": 1, "seconds": [4.0]}]
        self.assertEqual(report.rates(one), {0: 8.0, 1: 4.0})
        self.assertEqual(report.rate(one), (6.0, 4.0, 8.0))

    def test_nothing_measured(self):
        self.assertIsNone(report.rate(record("a", "qfw", [])))
        self.assertIsNone(report.fastest([record("a", "qfw", [])]))

    def test_ratios_are_taken_within_rounds(self):
        # The second round was slow for both; across rounds the ratio would lie between 0.5 and 4.
        found = report.ratio(record("a", "qfw", [10, 5, 10]), record("b", "PyTorch", [5, 2.5]))
        self.assertEqual(found, (2.0, 2.0, 2.0))

    def test_the_fastest_peer_of_the_same_work_counts(self):
        own = record("a", "qfw", [10])
        others = [record("b", "PyTorch", [4]), record("c", "PyTorch", [5], label="f32 compiled"), record("d", "qfw", [50]),
                  record("e", "PyTorch", [9], work="bf16"), record("f", "PyTorch", [9], batch=1), record("g", "PyTorch", [])]
        self.assertEqual(report.best_peer(results([own, *others]), own)["key"], "c")
        self.assertEqual(report.against_peer(results([own, *others]), own), "2.00 x PyTorch f32 compiled")

    def test_ceilings(self):
        own = record("a", "qfw", [8], ceiling=["f32", "f32.bd"])
        self.assertEqual(report.ceiling_rate(results([own]), own), 16)
        self.assertIsNone(report.ceiling_rate(results([own], quick=True), own))
        self.assertIsNone(report.ceiling_rate(results([own], ceilings=None), own))
        self.assertIsNone(report.ceiling_rate(results([own]), {**own, "ceiling": ["f32", "other"]}))
        self.assertEqual(report.rows_of(results([own]))[0][6], "50 %")

    def test_digits(self):
        self.assertEqual([report.number(value) for value in (1.234, 12.34, 123.4)], ["1.23", "12.3", "123"])


class Aims(unittest.TestCase):
    AIM = {"text": "t", "faster": "own", "others": ["b", "c"], "factor": 1.2, "note": None}

    def verdict(self, own, *others):
        return report.aim_row(results([record("own", "qfw", own), *others]), self.AIM)

    def test_reached_missed_not_measured(self):
        other, faster = record("b", "PyTorch", [10]), record("c", "PyTorch", [11])
        self.assertEqual(self.verdict([12], other)[2:], ["1.20 x [1.20..1.20]", "reached"])
        self.assertEqual(self.verdict([12], other, faster)[3], "missed")
        self.assertEqual(self.verdict([12])[2:], ["not measured", ""])
        self.assertEqual(self.verdict([], other)[2:], ["not measured", ""])

    def test_a_trial_reaches_nothing_and_disturbed_turns_are_marked(self):
        other = record("b", "PyTorch", [10])
        other["turns"][0]["disturbed"] = True
        row = report.aim_row(results([record("own", "qfw", [20]), other], quick=True), self.AIM)
        self.assertEqual(row[2:], ["2.00 x [2.00..2.00]*", "a trial"])


class Texts(unittest.TestCase):
    def test_failures_are_told_once_and_a_disturbed_turn_is_marked(self):
        failed = [record(key, "PyTorch", [], failure="not installable: no network") for key in "bc"]
        disturbed = record("a", "qfw", [10])
        disturbed["turns"][0].update(disturbed=True, attempts=4)
        text = report.text_report(results([disturbed, *failed]))
        self.assertIn("Failed: b, c: not installable: no network", text)
        self.assertIn("Failed: b, c: not installable: no network", report.markdown_report(results(failed), "chart.svg"))
        self.assertIn("10.0 [10.0..10.0]*", text)
        self.assertIn("3 turns were repeated, and 1 (marked *) stayed disturbed", text)

    def test_documents_have_no_folders_of_the_machine(self):
        failed = record("b", "PyTorch", [], failure="not installable (/home/me/out/pip.log): a/b 1/2")
        self.assertIn("not installable (pip.log): a/b 1/2", report.markdown_report(results([failed]), "chart.svg"))

    def test_tables(self):
        self.assertEqual(report.text_table(["a", "bb"], [["ccc", "d"]]), "a    bb\nccc  d")
        self.assertEqual(report.markdown_table(["a"], [["x|y*"]]), "| a |\n|---|\n| x\\|y\\* |")

    def test_a_section_is_put_in_and_replaced(self):
        document = f"before\n{report.NEXT}\nafter\n"
        first = report.with_section(document, "avx2", "one")
        self.assertEqual(first, f"before\n<!-- bench: avx2 -->\none\n<!-- end -->\n\n{report.NEXT}\nafter\n")
        both = report.with_section(first, "avx512", "two")
        self.assertEqual(report.with_section(both, "avx2", "ONE"), both.replace("one", "ONE"))

    def test_a_document_without_a_place(self):
        self.assertIsNone(report.with_section("text", "avx2", "one"))
        self.assertIsNone(report.with_section("<!-- bench: avx2 -->\nno end", "avx2", "one"))

    def test_the_chart_is_well_formed_and_has_a_bar_for_each_that_was_measured(self):
        records = [record("a", "qfw", [10, 12], ceiling=["f32"]), record("b", "PyTorch", [5], label="<fast>"),
                   record("c", "PyTorch", [])]
        root = xml.etree.ElementTree.fromstring(chart(results(records)))
        bars = [one for one in root.iter() if one.tag.endswith("rect") and one.get("height") != "100%"]
        self.assertEqual(len(bars), 2)
        self.assertAlmostEqual(float(bars[0].get("width")) / float(bars[1].get("width")), 11 / 5, places=2)

    def test_the_document_has_a_place_for_sections(self):
        with open(os.path.join(SOURCE, "docs", "performance.md"), encoding="utf-8") as file:
            self.assertIn(report.NEXT, file.read())


class Processes(unittest.TestCase):
    """Contestants that are tiny programs."""

    PEER = """import json, sys
sys.path.insert(0, sys.argv[1])
from serving import serve
print("a library talks")
calls = []
def step():
    calls.append(1)
    if len(calls) > 6: raise RuntimeError("out of memory")
serve(step, warm_up=1, version="1.0")
"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        here = machine.Machine("P", "avx2", machine.physical_cores(), 1.0, False)
        self.competition = turns.Competition(here, folder.name, repeats=0)
        least = turns.LEAST_SECONDS, turns.SETTLE
        turns.LEAST_SECONDS = turns.SETTLE = 0
        self.addCleanup(lambda: setattr(turns, "LEAST_SECONDS", least[0]) or setattr(turns, "SETTLE", least[1]))
        self.competition._say = lambda text: None

    def contestant(self, side, *command):
        return contestants.Contestant(f"{side}.x", "training", "f32", side, "f32", 16, command, 2)

    def compete(self, contestant, rounds):
        found = {contestant.key: {"turns": [], "failure": None, "about": {}}}
        self.competition.run([contestant], found, rounds)
        self.assertEqual(self.competition.live, {})
        return found[contestant.key]

    def peer(self):
        return self.contestant("PyTorch", sys.executable, "-c", self.PEER, os.path.join(SOURCE, "bench", "peers"))

    def test_a_peer_takes_turns(self):
        found = self.compete(self.peer(), 2)
        self.assertIsNone(found["failure"])
        self.assertEqual(found["about"]["version"], "1.0")
        self.assertEqual([len(turn["seconds"]) for turn in found["turns"]], [2, 2])

    def test_a_peer_that_fails_keeps_the_turns_it_had(self):
        found = self.compete(self.peer(), 4)
        self.assertEqual(len(found["turns"]), 2)
        self.assertIn("RuntimeError: out of memory", found["failure"])

    def test_a_peer_without_memory_is_not_started(self):
        least = turns.LEAST_GIB
        self.addCleanup(lambda: setattr(turns, "LEAST_GIB", least))
        turns.LEAST_GIB = 1 << 30
        self.assertRegex(self.compete(self.peer(), 1)["failure"], "not started: .* GiB of memory are available")

    def test_a_peer_that_cannot_start(self):
        self.assertIn("No such file", self.compete(self.contestant("PyTorch", "/no_such_program"), 1)["failure"])

    def test_a_turn_of_qfw(self):
        answer = '{"steps": [500, 700], "images_per_second": 30, "peak_share": 0.5, "backend": "cpu"}'
        found = self.compete(self.contestant("qfw", "sh", "-c", f"echo '{answer}'"), 1)
        self.assertEqual(found["turns"][0]["seconds"], [0.5, 0.7])
        self.assertEqual(found["turns"][0]["peak_images_per_second"], 60)

    def test_a_turn_of_qfw_that_fails(self):
        found = self.compete(self.contestant("qfw", "sh", "-c", "echo '[error] no such recipe' >&2; exit 2"), 1)
        self.assertEqual(found["failure"], "ended with status 2: [error] no such recipe")


class Environments(unittest.TestCase):
    def test_a_peer_that_cannot_be_installed_is_a_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "venv", "bin"))
            python = os.path.join(folder, "venv", "bin", "python")
            with open(python, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho 'no network'\nexit 1\n")
            os.chmod(python, 0o755)
            failure = environment.Environment(folder, None).prepare("ONNX Runtime")
        self.assertRegex(failure, "not installable: no network .*pip.log")


class WholeRuns(unittest.TestCase):
    """Of programs that only say what qfw and its benchmarks would."""

    PROGRAMS = {
        "qfw": """[ "$1" != --version ] || { echo 'qfw 9.9'; exit; }
echo $$ >> "$0.pids"
sleep 0.2
echo '{"steps": [10, 20, 40], "images_per_second": 50, "peak_share": 0.25, "backend": "cpu"}'""",
        "bench_memory": """echo '{"threads": 1, "read": 20, "triad": 30}'""",
        "bench_matmul": """shift 3; echo "channels kernel size $*"; echo "network, ms 10" """,
    }

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build, self.out = os.path.join(folder.name, "build"), os.path.join(folder.name, "out")
        os.makedirs(os.path.join(self.build, "bin"))
        for name, script in self.PROGRAMS.items():
            path = os.path.join(self.build, "bin", name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\n{script}\n")
            os.chmod(path, 0o755)

    def command(self, rounds):
        words = ["--build", self.build, "--out", self.out, "--only=^qfw.eval.int8.1$", "--repeats=0", f"--rounds={rounds}"]
        return [sys.executable, os.path.join(SOURCE, "bench", "compare.py"), *words]

    def results(self):
        with open(os.path.join(self.out, "results.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_to_the_end(self):
        done = subprocess.run(self.command(2), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.results()
        self.assertEqual((found["interrupted"], found["versions"]["qfw"]), (False, "9.9"))
        self.assertEqual([turn["seconds"] for turn in found["contestants"][0]["turns"]], [[0.01, 0.02, 0.04]] * 2)
        self.assertRegex(done.stdout, r"qfw W8A8, integers +50\.0 \[50\.0\.\.50\.0\]\*? +50 % +25 %")
        self.assertEqual(sorted(os.listdir(self.out)), ["chart.svg", "logs", "results.json", "results.txt"])

    def test_interrupted_it_keeps_what_was_measured_and_leaves_no_process(self):
        process = subprocess.Popen(self.command(100), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with process.stdout, process.stderr:
            for line in process.stderr:
                if "round 3" in line:
                    break
            process.send_signal(signal.SIGTERM)
            self.assertIn("interrupted", process.stderr.read())
            self.assertIn("It was interrupted.", process.stdout.read())
        self.assertEqual(process.wait(), 130)
        found = self.results()
        self.assertTrue(found["interrupted"])
        self.assertIn(len(found["contestants"][0]["turns"]), (2, 3))
        with open(os.path.join(self.build, "bin", "qfw.pids"), encoding="utf-8") as file:
            for pid in file.read().split():
                self.assertFalse(os.path.exists(f"/proc/{pid}"), pid)


    def keep(self, **fields):
        whole = {**results([record("qfw.eval.int8.1", "qfw", [50.0])]), **fields}
        os.makedirs(self.out, exist_ok=True)
        with open(os.path.join(self.out, "results.json"), "w", encoding="utf-8") as file:
            json.dump(whole, file)
        return whole

    def interrupted_after(self, line_part):
        process = subprocess.Popen(self.command(100), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with process.stdout, process.stderr:
            for line in process.stderr:
                if line_part in line:
                    break
            process.send_signal(signal.SIGTERM)
            said = process.stderr.read()
            process.stdout.read()
        return process.wait(), said

    def test_whole_results_stay_beside_partial_ones(self):
        whole = self.keep()
        status, said = self.interrupted_after("round 3")
        self.assertEqual(status, 130)
        self.assertIn("whole_results.json", said)
        with open(os.path.join(self.out, "whole_results.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), whole)
        self.assertTrue(self.results()["interrupted"])
        subprocess.run(self.command(1), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)  # partial, too
        with open(os.path.join(self.out, "whole_results.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), whole)

    def test_nothing_measured_changes_nothing(self):
        whole = self.keep()
        with open(os.path.join(self.build, "bin", "qfw"), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n[ \"$1\" != --version ] || { echo qfw 9.9; exit; }\nexit 1\n")
        done = subprocess.run(self.command(1), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "nothing was measured, so .* stays as it is")
        self.assertEqual(self.results(), whole)


class Commands(unittest.TestCase):
    def said(self, *words):
        command = [sys.executable, os.path.join(SOURCE, "bench", "compare.py"), *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def test_mistakes(self):
        self.assertRegex(self.said("--only=nothing_like_it", "--list")[1], "matches none of .*--list shows")
        self.assertRegex(self.said("--only=(", "--list")[1], "no regular expression")
        self.assertRegex(self.said("--rounds=0")[1], "less than 1")
        self.assertRegex(self.said("--quick", "--update-docs")[1], "does not go with --quick")
        self.assertRegex(self.said("--results=/no_such_file")[1], "cannot be read")
        self.assertRegex(self.said("--rounds=x")[1], "'x' is no whole number")
        self.assertRegex(self.said("--results=/no_such_file", "--only=x", "--steps=2")[1], "--steps, --only would change nothing")
        self.assertRegex(self.said("--update-docs", "--only=train")[1], "goes with all contestants")
        self.assertRegex(self.said("--out=/dev/null/x")[1], "--out=/dev/null/x takes no results")

    def test_what_is_no_results(self):
        for text, told in (("{}", "it holds no aims, "), ("[]", "it holds no aims, "), ("x", "Expecting value")):
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                file.write(text)
                file.flush()
                status, said = self.said("--results", file.name)
            self.assertEqual((status, said.count("\n")), (1, 1), said)
            self.assertRegex(said, f"^bench: .* cannot be read as results: {told}")
        broken = results([record("qfw.eval", "qfw", [50.0])])
        del broken["machine"]["kind"], broken["contestants"][0]["batch"]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(broken, file)
            file.flush()
            self.assertRegex(self.said("--results", file.name)[1], "cannot be read as results: it lacks")

    def test_results_of_some_contestants_renew_no_document(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(results([record("qfw.eval", "qfw", [50.0])], partial=True), file)
            file.flush()
            status, said = self.said("--results", file.name, "--update-docs")
        self.assertEqual(status, 1)
        self.assertRegex(said, "stays as it is: these results are of some contestants only")

    def test_a_build_that_is_not_there(self):
        status, text = self.said("--build=/no_such_build", "--out=.")
        self.assertEqual(status, 1)
        self.assertRegex(text, "/no_such_build/bin/qfw does not run.*make programs")

    def test_a_list(self):
        status, text = self.said("--list", "--only=^qfw.train")
        self.assertEqual((status, len(text.split())), (0, 8))


if __name__ == "__main__":
    unittest.main()
