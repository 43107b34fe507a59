// What a program in JavaScript does with a cluster, told as one JSON document on stdout.
import { AppsV1Api, CoreV1Api, Exec, KubeConfig, KubernetesObjectApi, Log, Watch } from '@kubernetes/client-node';
import { PassThrough } from 'node:stream';

const [kubeconfig, namespace] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(kubeconfig);
const core = config.makeApiClient(CoreV1Api);
const apps = config.makeApiClient(AppsV1Api);
const told = {};

const labels = { app: 'web' };
const container = { name: 'main', image: 'bb:1', command: ['sh', '-c', 'echo started; exec sleep 1000000'] };
const template = { metadata: { labels }, spec: { containers: [container], terminationGracePeriodSeconds: 0 } };
await apps.createNamespacedDeployment({
  namespace,
  body: { metadata: { name: 'web' }, spec: { replicas: 2, selector: { matchLabels: labels }, template } },
});

await new Promise((resolve, reject) => {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  new Watch(config).watch(path, { timeoutSeconds: 30 }, (type, object) => {
    if (object.status?.readyReplicas === 2) resolve();
  }, (error) => reject(error ?? new Error('the watch ended'))).catch(reject);
});

const pods = await core.listNamespacedPod({ namespace, labelSelector: 'app=web' });
told.phases = pods.items.map((pod) => pod.status.phase);
const pod = pods.items[0].metadata.name;

const read = async (start) => {
  const stream = new PassThrough();
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  await start(stream);
  return () => Buffer.concat(chunks).toString();
};

told.log = await core.readNamespacedPodLog({ name: pod, namespace });
let status;
const output = await read((stream) => new Promise((resolve, reject) => {
  new Exec(config).exec(namespace, pod, 'main', ['sh', '-c', 'echo in the pod; exit 3'], stream, null, null, false,
    (result) => { status = result; resolve(); }).catch(reject);
}));
told.exec = output();
told.status = { status: status.status, reason: status.reason, code: status.details?.causes?.[0]?.message };

const objects = KubernetesObjectApi.makeApiClient(config);
const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'made', namespace }, data: { a: '1' } };
await objects.create(map);
told.patched = (await objects.patch({ ...map, data: { b: '2' } })).data;
try {
  await core.readNamespacedConfigMap({ name: 'absent', namespace });
} catch (error) {
  told.absent = error.code;
}
await objects.delete(map);
process.stdout.write(JSON.stringify(told));
process.exit(0);
