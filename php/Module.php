<?php

declare(strict_types=1);

namespace Proletarier;

/**
 * The module for Zend Framework 2 and Laminas MVC applications: `'Proletarier'` in their list of modules.
 *
 * It names no class of either framework, so that it loads in every generation of both.
 */
final class Module
{
    public function getConfig(): array
    {
        $provider = new ConfigProvider();

        return [
            'service_manager' => $provider->getDependencies(),
            'laminas-cli' => $provider->getCommands(),
        ];
    }

    /**
     * Runs `php public/index.php proletarier ...`, with or without a console package.
     *
     * An MVC application takes no notice of argv, and would print its home page. So the command runs as a listener of `route`, before
     * any router (20000: HttpMethodListener has 10000), and returns a response, which ends the request there. After all others a
     * listener of `finish` ends the process (-20000: SendResponseListener has -10000; it has no sender for a plain response).
     *
     * @param object $e the MvcEvent
     */
    public function onBootstrap($e): void
    {
        // Only the SAPI tells a shell from a web request: with register_argc_argv, /?x+proletarier+run fills argv.
        if (PHP_SAPI !== 'cli' || ($_SERVER['argv'][1] ?? null) !== 'proletarier') {
            return;
        }
        $container = $e->getApplication()->getServiceManager();
        $events = $e->getApplication()->getEventManager();
        $status = null;

        $events->attach('route', static function () use ($container, &$status) {
            $status = Command\Console::main($container, $_SERVER['argv'], 1);
            $class = class_exists('Laminas\Stdlib\Response') ? 'Laminas\Stdlib\Response' : 'Zend\Stdlib\Response';
            $response = new $class();
            $response->setMetadata('errorLevel', $status);

            return $response;
        }, 20000);

        $events->attach('finish', static function () use (&$status): void {
            if ($status !== null) {
                exit($status);
            }
        }, -20000);
    }

    /**
     * The usage that mvc-console prints.
     *
     * @param object $console
     */
    public function getConsoleUsage($console): array
    {
        return [
            'proletarier run [--workers=N]' => 'Run the daemon: broker and workers',
            'proletarier broker' => 'Run the broker alone',
            'proletarier worker [--workers=N]' => 'Run workers alone, for a broker elsewhere',
            'proletarier trigger <event> [<params>]' => 'Trigger an event, with params as a JSON object',
            'proletarier failed [list|show|replay|discard|purge|export|import]' => 'What failed for good, and bring it back',
            'proletarier waiting [list|show|cancel|purge]' => 'What waits, and take it back',
            'proletarier spool [list|show|drain|discard]' => 'What no daemon has taken yet',
            'proletarier status [--watch] [--json] [--quiet]' => 'How the daemon is',
            'proletarier queues [list|pause|resume]' => 'Show the queues, hold one up',
            'proletarier reload [--wait]' => 'Replace the workers by such of the new code',
            'proletarier stop [--wait]' => 'Stop the daemon',
        ];
    }
}
