// SPDX-License-Identifier: GPL-2.0-or-later
// What speedscope makes of a file: "PROFILE<tab>FRAME<tab>self<tab>total" lines.
//
// usage: speedscope.js NODE_MODULES schema FILE | import FILE
//
// Its importers are not published as a library, but a fork's web bundle keeps
// them as modules that can be asked for.  The page itself is given a browser
// made of nothing, and may fail as it likes once the modules are there.
'use strict';
const fs = require('fs');
const path = require('path');
const vm = require('vm');

const [modules, command, file] = process.argv.slice(2);

function schema() {
	const Ajv = require(path.join(modules, 'ajv'));
	const release = path.join(modules, 'speedscope/dist/release');
	const validate = new Ajv({ strict: false, allErrors: true }).compile(
		JSON.parse(fs.readFileSync(path.join(release, 'file-format-schema.json'))));

	if (!validate(JSON.parse(fs.readFileSync(file)))) {
		console.log(validate.errors);
		process.exit(1);
	}
}

function nothing() {
	return new Proxy(function () {}, {
		get: (target, key) => key === 'then' ? undefined : nothing(),
		apply: nothing,
		construct: nothing,
		set: () => true,
	});
}

function importer() {
	const release = path.join(modules, '@elg/speedscope/dist/release');
	const bundles = ['speedscope', 'import'].map(name => fs.readFileSync(path.join(release,
		fs.readdirSync(release).find(f => f.startsWith(name + '.') && f.endsWith('.js'))), 'utf8'));
	const quiet = { log() {}, warn() {}, error() {} };
	const page = { console: quiet, document: nothing(), localStorage: nothing(),
		matchMedia: nothing, addEventListener() {}, navigator: { userAgent: '' },
		location: { hash: '', protocol: 'file:' } };

	page.window = page.self = page;
	vm.createContext(page);
	for (const bundle of bundles)
		try {
			vm.runInContext(bundle, page);
		} catch (e) {
			/* The page; the modules are registered before it runs. */
		}
	for (const [, id] of bundles[1].matchAll(/"([A-Za-z0-9+/]{4})":\[function/g)) {
		const found = page.parcelRequire(id);

		if (found && found.importProfileGroupFromText)
			return found.importProfileGroupFromText;
	}
	throw new Error('no importer in the bundle');
}

async function importFile() {
	const group = await importer()(path.basename(file), fs.readFileSync(file, 'utf8'));

	for (const profile of group.profiles)
		profile.forEachFrame(frame => console.log([profile.getName(), frame.name,
			frame.getSelfWeight(), frame.getTotalWeight()].join('\t')));
}

if (command === 'schema')
	schema();
else
	importFile();
