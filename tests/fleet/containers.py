#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes of containers, found and tagged by the labels that their engines keep: Docker's and containerd's
files as dockerd and its CRI write them, around real control groups; Podman's own, where podman runs."""
import json
import os
import secrets
import shutil
import subprocess
import sys

import agent_rig as rig
from agent_rig import Agent, Collector, lib

BUSY = "def busy_in_a_container():\n    sum(range(20000))\nwhile True: busy_in_a_container()"
CONFIG = """
collector: %s
listen: 127.0.0.1:%d
containers: %s
spool: { directory: %s }
rules:
- labels: { container.name: "*" }
  service: { label: container.name }
  tags: { team: { label: team }, image: { label: container.image }, namespace: { label: pod.namespace } }
"""


def put(root, path, content):
    path = root + path
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as f:
        json.dump(content, f)


def docker(root):
    """container/container.go of moby, the parts that say who it is."""
    identity = secrets.token_hex(32)
    put(root, "/var/lib/docker/containers/%s/config.v2.json" % identity, {
        "StreamConfig": {}, "State": {"Running": True, "Pid": 1}, "ID": identity, "Path": "python3", "Args": [],
        "Config": {"Hostname": identity[:12], "Image": "shop:1", "Labels": {"team": "of-docker"}},
        "Image": "sha256:" + secrets.token_hex(32), "Name": "/by-docker", "Driver": "overlay2"})
    return "docker-%s.scope" % identity


def containerd(root):
    """The annotations that containerd's CRI gives a container."""
    identity = secrets.token_hex(32)
    put(root, "/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json" % identity, {
        "ociVersion": "1.1.0", "process": {"args": ["python3"]}, "annotations": {
            "io.kubernetes.cri.container-name": "by-containerd",
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.image-name": "shop:2",
            "io.kubernetes.cri.sandbox-id": secrets.token_hex(32),
            "io.kubernetes.cri.sandbox-name": "shop-5d4f", "io.kubernetes.cri.sandbox-namespace": "trade"}})
    return "cri-containerd-%s.scope" % identity


def cgroups():
    """Where control groups are made that /proc/PID/cgroup tells first."""
    with open("/proc/mounts") as f:
        mounts = [line.split()[1:4] for line in f]
    for path, kind, options in mounts:
        if kind == "cgroup2" or kind == "cgroup" and "name=systemd" in options:
            if os.access(path, os.W_OK):
                return path
    return None


def in_group(name):
    group = os.path.join(cgroups(), name)
    os.mkdir(group)
    target = lib.start(sys.executable, "-c", BUSY)
    with open(group + "/cgroup.procs", "w") as f:
        f.write(str(target.pid))
    return group, target


def leave(groups):
    for group, target in groups:
        target.kill()
        target.wait()
        lib.until(lambda at=group: not open(at + "/cgroup.procs").read(), "a control group is not left")
        os.rmdir(group)


class Podman:
    """A container of a root of tests/fetch.sh, by podman and a storage of our own."""

    def __init__(self, root):
        python = subprocess.run([lib.TOP + "/tests/fetch.sh", "py311"], stdout=subprocess.PIPE, check=True,
                                stderr=subprocess.DEVNULL, text=True).stdout.split()[-1]
        limit = subprocess.run("ulimit -Hn", shell=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.command = ["podman", "--root", root + "/var/lib/containers/storage", "--runroot", "/run/pycost-%d" % os.getpid(),
                        "--cgroup-manager", "cgroupfs", *(["--runtime", "runc"] if shutil.which("runc") else [])]
        self.said = subprocess.run(
            self.command + ["run", "-d", "--name", "by-podman", "--label", "team=of-podman", "--network", "host",
                            "--ulimit", "nofile=%s:%s" % (limit, limit), "--ulimit", "nproc=4096:4096",
                            "--rootfs", python + ":O", "python3.11", "-c", BUSY],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self):
        subprocess.run(self.command + ["rm", "-f", "-t", "0", "by-podman"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        shutil.rmtree("/run/pycost-%d" % os.getpid(), ignore_errors=True)


def found(batches):
    """{service: tags} of what was measured."""
    services = {}
    for batch in batches:
        for cost in batch.costs:
            tags = batch.slices[cost["slice"]]
            services[tags["service"]] = {k: tags.get(k) for k in ("team", "image", "namespace")}
    return services


def labels():
    if not cgroups():
        lib.skip("containers", "no control groups can be made here")
        return
    root = rig.directory("engines")
    groups, podman = [], None
    try:
        groups = [in_group(docker(root)), in_group(containerd(root))]
        if shutil.which("podman"):
            podman = Podman(root)
            lib.check("containers: podman runs one", podman.said.returncode == 0, podman.said.stdout)
        else:
            lib.skip("containers: of podman", "there is none")
        stranger = lib.start(sys.executable, "-c", BUSY)
        collector = Collector()
        port = lib.free_port()
        agent = Agent("--config", lib.script("containers.yaml", CONFIG % (
            collector.url, port, root, rig.directory("spool"))), listen=False)
        agent.port = port
        count = 3 if podman else 2
        agent.up().until(lambda m: m["processes_attached"] == count and m["samples_total"] > 200,
                         "they are not found")
        agent.stop()
        got = found(collector.batches())
        want = {"by-docker": {"team": "of-docker", "image": "shop:1", "namespace": None},
                "by-containerd": {"team": None, "image": "shop:2", "namespace": "trade"}}
        if podman:
            want["by-podman"] = {"team": "of-podman", "image": None, "namespace": None}
        lib.equal("containers: found and tagged, and no other process", got, want)
        stranger.kill()
        collector.end()
    finally:
        leave(groups)
        if podman:
            podman.end()


if __name__ == "__main__":
    lib.run(labels)
