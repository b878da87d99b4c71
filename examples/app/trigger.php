<?php

/**
 * What a web request of the example application would do. The extension is all it needs.
 */

declare(strict_types=1);

use Proletarier\Client;
use Proletarier\Confirm;

$client = new Client(options: ['state_dir' => __DIR__ . '/data']);

$started = microtime(true);
$client->trigger('order.placed', ['customer' => 'ada@example.org', 'article' => 'Zwölf Äpfel', 'quantity' => 2]);
$client->trigger('order.shipped', ['customer' => 'grace@example.org']);
$client->trigger('report.asked', ['title' => 'Sales in November']);
printf("3 events triggered in %.2f ms; this process goes on\n", (microtime(true) - $started) * 1000);

// Where it must be certain that the daemon has it, before going on:
$id = $client->trigger('order.shipped', ['customer' => 'linus@example.org'], ['confirm' => Confirm::Accepted]);
printf("the daemon has %s\n", $id);
