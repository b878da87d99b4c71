<?php

/**
 * What runs in the background. A proletarier.local.php beside it can change an entry, or remove it by false.
 */

declare(strict_types=1);

use Application\AccountCreated;
use Application\TeamNotification;
use Proletarier\Handler\EventLogger;

return [
    'proletarier' => [
        'listeners' => [
            'account-created' => ['event' => 'account.created', 'listener' => AccountCreated::class],
            'team-notification' => TeamNotification::class,
            'event-logger' => ['event' => '*', 'listener' => EventLogger::class, 'priority' => -1000],
        ],
        'worker' => ['pool_size' => 2],
    ],
    'notifications' => ['to' => 'team@example.org'],
];
