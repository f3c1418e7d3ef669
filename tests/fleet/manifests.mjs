// SPDX-License-Identifier: GPL-2.0-or-later
//
// Holds Kubernetes manifests against the schemas of its API, as the npm package
// kubernetes-models has them: node manifests.mjs MODULES FILE...
import fs from 'fs';
import path from 'path';
import { createRequire } from 'module';

const [modules, ...files] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), 'node_modules/'));
const yaml = require('js-yaml');
let failed = false;

for (const file of files)
  for (const object of yaml.loadAll(fs.readFileSync(file, 'utf8'))) {
    const name = `${path.basename(file)}: ${object.kind} ${object.metadata?.name}`;
    try {
      const model = require(`kubernetes-models/${object.apiVersion}/${object.kind}`)[object.kind];
      new model(object).validate();
      console.log(`PASS ${name}`);
    } catch (error) {
      console.log(`FAIL ${name}: ${error.message.split('\n')[0]}`);
      failed = true;
    }
  }
process.exit(failed ? 1 : 0);
