<?php

/**
 * The configuration of the example application: a shop that does in the background what its customers need not wait for.
 *
 *     php bin/proletarier run --config=examples/app/config.php     (the daemon)
 *     php examples/app/trigger.php                                 (what a web request would do)
 */

declare(strict_types=1);

use Proletarier\Handler\EventLogger;
use Shop\OrderMails;
use Shop\Stock;

require_once __DIR__ . '/src/OrderMails.php';
require_once __DIR__ . '/src/Stock.php';
require_once __DIR__ . '/src/report.php';

return [
    'proletarier' => [
        // What daemon and web requests share: they find each other here.
        'state_dir' => __DIR__ . '/data',
        'listeners' => [
            // An aggregate: a class that attaches several listeners.
            OrderMails::class,

            // A class with __invoke(). With a key, other configuration can change the entry, or remove it by false.
            'stock' => [
                'event' => 'order.placed',
                'listener' => Stock::class,
                'priority' => 100,
                'retry' => ['max_attempts' => 3, 'delay' => 1],
            ],

            // Any callable.
            ['report.asked', 'Shop\report'],

            // Every event, after all other listeners.
            ['*', EventLogger::class, -1000],
        ],
        'worker' => ['pool_size' => 2],
        'log' => ['params' => true],
    ],
];
