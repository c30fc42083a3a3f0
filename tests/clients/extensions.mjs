// extensions.mjs -- schemas of what the extensions of 2026-07-28 add to the core: the skills extension (SEP-2640) and the
// tasks extension (SEP-2663).  They have no official JSON schema; these say what their texts say.

const cacheable = { ttlMs: { type: 'integer', minimum: 0 }, cacheScope: { enum: ['public', 'private'] } };
const complete = { resultType: { const: 'complete' } };

/** Results by method (and "task" by their type), notifications by method. */
export function extensions(key) {
    const core = (type) => ({ $ref: `mcp#/${key}/${type}` });
    const result = (title, properties, required, members = {}) => ({
        title, type: 'object', additionalProperties: false,
        properties: { _meta: { type: 'object' }, ...complete, ...members, ...properties },
        required: ['resultType', ...Object.keys(members), ...required],
    });
    const skill = {
        type: 'object', additionalProperties: false, required: ['uri', 'frontmatter', 'resources'],
        properties: {
            uri: { type: 'string', pattern: '^skill://([^/]+/)*[a-z0-9]+(-[a-z0-9]+)*/SKILL\\.md$' },
            frontmatter: {
                type: 'object', required: ['name', 'description'],
                properties: {
                    name: { type: 'string', pattern: '^[a-z0-9]+(-[a-z0-9]+)*$', maxLength: 64 },
                    description: { type: 'string', minLength: 1, maxLength: 1024 },
                },
            },
            resources: {
                anyOf: [{ const: 'dynamic' }, {
                    type: 'array', minItems: 1, maxItems: 512,
                    items: {
                        type: 'object', additionalProperties: false, required: ['uri', 'digest', 'size'],
                        properties: {
                            uri: { type: 'string', pattern: '^skill://' },
                            digest: { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' },
                            size: { type: 'integer', minimum: 0 },
                        },
                    },
                }],
            },
        },
    };
    const task = {
        taskId: { type: 'string', minLength: 1 },
        status: { enum: ['working', 'input_required', 'completed', 'failed', 'cancelled'] },
        statusMessage: { type: 'string' },
        createdAt: { type: 'string', format: 'date-time' },
        lastUpdatedAt: { type: 'string', format: 'date-time' },
        ttlMs: { type: ['integer', 'null'], minimum: 0 },
        pollIntervalMs: { type: 'integer', minimum: 0 },
    };
    const outcome = {
        result: { type: 'object' },
        error: { type: 'object', required: ['code', 'message'],
                 properties: { code: { type: 'integer' }, message: { type: 'string' } } },
        inputRequests: core('InputRequests'),
    };
    const named = ['taskId', 'status', 'createdAt', 'lastUpdatedAt', 'ttlMs'];

    return {
        results: {
            'skills/list': result('ListSkillsResult', { skills: { type: 'array', items: skill }, nextCursor: { type: 'string' } },
                                  ['skills'], cacheable),
            'skills/get': result('GetSkillResult', { skill }, ['skill'], cacheable),
            'resources/directory/read': result('ReadDirectoryResult', {
                resources: { type: 'array', items: core('Resource') }, nextCursor: { type: 'string' },
            }, ['resources'], cacheable),
            task: result('CreateTaskResult', { ...task, resultType: { const: 'task' } }, named),
            'tasks/get': result('GetTaskResult', { ...task, ...outcome }, named),
            'tasks/update': result('UpdateTaskResult', {}, []),
            'tasks/cancel': result('CancelTaskResult', {}, []),
        },
        notifications: {
            'notifications/tasks': {
                title: 'TaskNotification', type: 'object', additionalProperties: false,
                properties: { _meta: { type: 'object' }, ...task, ...outcome }, required: named,
            },
        },
    };
}
